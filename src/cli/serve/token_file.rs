//! `--token-file FILE`: the token that requests have to carry, and notes on how well it is kept.

use super::super::Failure;
use crate::serve::token::Token;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

/// Reads the token.
///
/// # Errors
/// The file cannot be read, or what is in it is no token.
pub(super) fn read(path: &str) -> Result<Token, Failure> {
    let text = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("--token-file {path}: {error}")))?;
    Token::new(&text).map_err(|why| Failure::usage(format!("--token-file {path} {why}")))
}

/// What a careful administrator would want to know, one sentence each.
pub(super) fn notes(listen: SocketAddr, path: Option<&str>) -> Vec<String> {
    let Some(path) = path else {
        let open = !listen.ip().is_loopback();
        let note = || {
            format!(
                "whoever can reach {listen} may command the devices; --token-file FILE asks for a token"
            )
        };
        return open.then(note).into_iter().collect();
    };
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    let readable = mode & 0o004 != 0;
    let note = || format!("every user of this machine can read {path}; chmod 600 mends that");
    readable.then(note).into_iter().collect()
}
