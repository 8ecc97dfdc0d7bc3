//! `--access-log FILE|-`: the thread that writes down what the workers hand over.
//!
//! One line of JSON per answered request, appended. Lines are written out as soon as no further one
//! waits, so a file that is followed is up to date, and a busy one is written in blocks. When writing
//! fails, that is said once, and the workers count the rest as dropped. Start at [`start`].

use super::super::{Failure, complain};
use crate::serve::access::{AccessLog, Record};
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::JoinHandle;

/// Opens `path`, or stdout for `-`, and starts the thread. It ends, everything written, once every
/// clone of the log is dropped.
///
/// # Errors
/// The file cannot be opened for appending.
pub(super) fn start(path: &str) -> Result<(AccessLog, JoinHandle<()>), Failure> {
    let out: Box<dyn Write + Send> = match path {
        "-" => Box::new(io::stdout()),
        _ => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            Box::new(file.map_err(|error| Failure::usage(told(path, &error)))?)
        }
    };
    let (log, records) = AccessLog::open();
    let path = path.to_string();
    let write = move || {
        if let Err(error) = write_all(&records, BufWriter::new(out)) {
            let sentence = format!("{}; nothing more is logged", told(&path, &error));
            complain(&Failure::run(sentence));
        }
    };
    let writer = std::thread::Builder::new().name("access-log".into()).spawn(write);
    Ok((log, writer.map_err(Failure::run)?))
}

fn told(path: &str, error: &io::Error) -> String {
    format!("--access-log {path}: {error}")
}

fn write_all(records: &Receiver<Record>, mut out: impl Write) -> io::Result<()> {
    loop {
        let record = match records.try_recv() {
            Ok(record) => record,
            Err(TryRecvError::Disconnected) => return out.flush(),
            Err(TryRecvError::Empty) => {
                out.flush()?;
                let Ok(record) = records.recv() else { return Ok(()) };
                record
            }
        };
        out.write_all(record.line().as_bytes())?;
    }
}
