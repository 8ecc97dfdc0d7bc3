//! The files of a run: opened before it, and written after it.
//!
//! What cannot be opened is told before anything is sent, and leaves no trace: a file that was there
//! keeps what is in it until there is something to write, and one that was not is removed again. What
//! cannot be written after all loses no other output: each is tried, and each failure is a sentence.
//! Not here: what is in them. Start at [`Opened::open`].

use super::live::Live;
use super::outcome::Outcome;
use super::plan::Outputs;
use super::worker::observer::{Sink, Sinks, unwritable};
use super::{hgrm, prom};
use crate::stats::Histogram;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file of a flag, or standard output, which holds what it did until something is written.
#[derive(Debug)]
pub struct Output {
    flag: &'static str,
    path: PathBuf,
    /// None is standard output.
    file: Option<File>,
    /// It was not there before.
    is_new: bool,
    is_begun: bool,
}

impl Output {
    /// Opens `path` for `flag`; `-` is standard output.
    ///
    /// # Errors
    /// A sentence that names the flag.
    pub fn open(flag: &'static str, path: &Path) -> Result<Output, String> {
        let (file, is_new) = match path == Path::new("-") {
            true => (None, false),
            false => opened(path)
                .map(|(file, is_new)| (Some(file), is_new))
                .map_err(|error| unwritable(flag, path, &error))?,
        };
        Ok(Output { flag, path: PathBuf::from(path), file, is_new, is_begun: false })
    }

    /// Writes the whole of `value`, as JSON and a line feed.
    ///
    /// # Errors
    /// A sentence that names the flag.
    pub fn write_json(self, value: &impl Serialize) -> Result<(), String> {
        self.write_whole(|out| {
            serde_json::to_writer(&mut *out, value)?;
            out.write_all(b"\n")
        })
    }

    /// Lets `write` write all there is.
    fn write_whole(
        self,
        write: impl FnOnce(&mut BufWriter<Output>) -> io::Result<()>,
    ) -> Result<(), String> {
        let (flag, path) = (self.flag, self.path.clone());
        let mut out = BufWriter::new(self);
        write(&mut out).and_then(|()| out.flush()).map_err(|error| unwritable(flag, &path, &error))
    }

    /// As the observer takes it.
    fn into_sink(self) -> Sink {
        let (flag, path) = (self.flag, self.path.clone());
        Sink { flag, path, out: Box::new(BufWriter::new(self)) }
    }
}

/// A file to write to, and whether it was not there before.
fn opened(path: &Path) -> io::Result<(File, bool)> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // It is created if it is a link that leads nowhere yet.
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            Ok((file, false))
        }
        created => created.map(|file| (file, true)),
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return io::stdout().write(bytes) };
        // Pipes and devices have no length.
        if !self.is_begun && file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        self.is_begun = true;
        file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.flush(),
            None => io::stdout().flush(),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_new && !self.is_begun {
            // Whoever was faster has removed it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A directory of one `.hgrm` per distribution.
#[derive(Debug)]
pub struct Distributions {
    directory: PathBuf,
    /// Directories that were not there before: itself perhaps, and then those above it.
    new: Vec<PathBuf>,
    /// The file of one of them, which shows that the others can be had; gone once it is written.
    first: Option<Output>,
}

/// The distribution whose file is opened beforehand.
const FIRST: &str = "response";

impl Distributions {
    /// Makes `directory`, with those above it, and opens the first of its files.
    ///
    /// # Errors
    /// A sentence that names the flag, `--hgrm`.
    pub fn open(directory: &Path) -> Result<Distributions, String> {
        let missing = directory.ancestors().take_while(|dir| !dir.exists()); // "" is never there
        let new = missing.filter(|dir| !dir.as_os_str().is_empty()).map(PathBuf::from).collect();
        let mut opened = Distributions { directory: PathBuf::from(directory), new, first: None };
        fs::create_dir_all(directory).map_err(|error| unwritable("--hgrm", directory, &error))?;
        opened.first = Some(Output::open("--hgrm", &opened.path_of(FIRST))?);
        Ok(opened)
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.hgrm"))
    }

    /// Writes those that are `named`, of which the response times are the first. One that cannot be
    /// written ends it: the others will not be either.
    ///
    /// # Errors
    /// A sentence that names the flag.
    pub fn write(mut self, named: &[(String, Histogram)]) -> Result<(), String> {
        for (name, histogram) in named {
            let output = match self.first.take() {
                Some(first) => first,
                None => Output::open("--hgrm", &self.path_of(name))?,
            };
            output.write_whole(|out| hgrm::write(out, histogram))?;
        }
        Ok(())
    }
}

impl Drop for Distributions {
    fn drop(&mut self) {
        drop(self.first.take());
        for directory in &self.new {
            // Only if there is nothing in it.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// What a run writes at its end.
#[derive(Debug)]
pub struct Opened {
    json: Option<Output>,
    prom: Option<PathBuf>,
    hgrm: Option<Distributions>,
}

impl Opened {
    /// Opens every output: those that are written at the end, and those that are written during the
    /// run.
    ///
    /// # Errors
    /// A sentence that names the flag of the first that cannot be opened.
    pub fn open(outputs: &Outputs) -> Result<(Opened, Sinks), String> {
        let output = |flag, path: &Option<PathBuf>| {
            path.as_ref().map(|path| Output::open(flag, path)).transpose()
        };
        let opened = Opened {
            json: output("--json", &outputs.json)?,
            hgrm: outputs.hgrm.as_deref().map(Distributions::open).transpose()?,
            prom: outputs.prom.clone(),
        };
        if let Some(path) = &opened.prom {
            check_replaceable(path).map_err(|error| unwritable("--prom", path, &error))?;
        }
        let sinks = Sinks {
            hlog: output("--hlog", &outputs.hlog)?.map(Output::into_sink),
            csv: output("--csv", &outputs.csv)?.map(Output::into_sink),
            live: outputs.live.map(|mode| Live::new(mode, Box::new(io::stderr()))),
        };
        Ok((opened, sinks))
    }

    /// Writes all of them; what could not be written, a sentence each that names the flag.
    pub fn write(self, outcome: &Outcome) -> Vec<String> {
        let json = self.json.map(|output| output.write_json(&outcome.run));
        let prom = self.prom.map(|path| {
            replace(&path, &prom::text(&outcome.run))
                .map_err(|error| unwritable("--prom", &path, &error))
        });
        let hgrm = self.hgrm.map(|directory| directory.write(&distributions(outcome)));
        [json, prom, hgrm].into_iter().flatten().filter_map(Result::err).collect()
    }
}

/// Every distribution of a run, under the name of its file.
fn distributions(outcome: &Outcome) -> Vec<(String, Histogram)> {
    let names = outcome.run.requests.iter().map(|kind| kind.name.as_str());
    hgrm::named(names.zip(outcome.recorder.kinds()), true)
}

/// Whether [`replace`] will find a place; what it takes for that is gone again.
fn check_replaceable(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let unready = unready(path);
    File::create(&unready)?;
    fs::remove_file(&unready)
}

/// Puts a file in place whole: who reads it meanwhile sees the old one or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unready = unready(path);
    fs::write(&unready, text)
        .and_then(|()| fs::rename(&unready, path))
        .inspect_err(|_| drop(fs::remove_file(&unready)))
}

/// The name that a file has until it is in place. It does not end in `.prom`, which is what the
/// collector looks for.
fn unready(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
