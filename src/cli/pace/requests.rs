//! From URLs, headers, bodies and files to the server and the [`Mix`] that are meant.

use super::PaceArgs;
use crate::cli::Failure;
use crate::pace::mix::{Mix, Single};
use crate::pace::url::Url;
use std::fs;
use std::path::Path;

impl PaceArgs {
    /// The server: of the URL, which may have several paths, over a socket if one is named.
    pub(super) fn server(&self) -> Result<Url, Failure> {
        let Some((first, others)) = self.urls.split_first() else {
            return Err(Failure::usage("no URL; write one like http://127.0.0.1:8080/path"));
        };
        if let Some(other) = others.iter().find(|other| !other.has_server_of(first)) {
            return Err(Failure::usage(format!(
                "{first} and {other} are two servers; pace each by itself, or their latencies mix, or \
                 compare them by --duet {other}"
            )));
        }
        match &self.unix_socket {
            Some(_) if first.socket().is_some() => {
                Err(Failure::usage(format!("--unix-socket: {first} names a socket already")))
            }
            Some(socket) => Ok(first.clone().over_socket(socket.clone())),
            None => Ok(first.clone()),
        }
    }

    /// What is requested: the file's mix, or what is typed.
    pub(super) fn mix(&self) -> Result<Mix, Failure> {
        let mut mix = match &self.mix {
            Some(path) => self.mix_of_file(path)?,
            None => self.mix_as_typed(&self.urls)?,
        };
        if let Some(path) = &self.token_file {
            let fault =
                |why: String| Failure::usage(format!("--token-file {}: {why}", path.display()));
            let text = fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
            mix.authorize(text.trim_ascii()).map_err(fault)?;
        }
        Ok(mix)
    }

    fn mix_of_file(&self, path: &Path) -> Result<Mix, Failure> {
        let flags = [
            ("-H", !self.headers.is_empty()),
            ("--method", self.method.is_some()),
            ("--body", self.body.is_some()),
            ("--body-file", self.body_file.is_some()),
        ];
        if let Some((flag, _)) = flags.iter().find(|(_, is_typed)| *is_typed) {
            return Err(Failure::usage(format!(
                "{flag} is for a single URL; with --mix it stands in the file"
            )));
        }
        if self.urls.len() > 1 {
            return Err(Failure::usage("--mix has the paths; give one URL, for the server"));
        }
        let file = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("--mix {file}: {error}")))?;
        Mix::parse(&file, &text).map_err(|error| Failure::usage(format!("--mix {error}")))
    }

    /// The same method, headers and body for each of `urls`.
    pub(super) fn mix_as_typed(&self, urls: &[Url]) -> Result<Mix, Failure> {
        let body = self.content()?;
        let (method, headers) = (&self.method, &self.headers);
        let single = |url: &Url| Single {
            method: method.clone(),
            path: String::from(url.path()),
            headers: headers.clone(),
            body: body.clone(),
        };
        match urls {
            [url] => Mix::one(single(url)),
            urls => Mix::several(urls.iter().map(single).collect()),
        }
        .map_err(Failure::usage)
    }

    fn content(&self) -> Result<Vec<u8>, Failure> {
        match (&self.body, &self.body_file) {
            (Some(_), Some(_)) => {
                Err(Failure::usage("--body and --body-file are both given; one will do"))
            }
            (Some(body), None) => Ok(body.clone().into_bytes()),
            (None, Some(path)) => fs::read(path).map_err(|error| {
                Failure::usage(format!("--body-file {}: {error}", path.display()))
            }),
            (None, None) => Ok(Vec::new()),
        }
    }
}
