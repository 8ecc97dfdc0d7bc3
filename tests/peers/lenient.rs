//! A row's outcome as any server may have it: its statuses, and what became of the connection.
//!
//! The suite's own judge holds bodies and fields to the project's contract, which nobody else has
//! to keep. This one looks at what RFC 9110 and RFC 9112 are about: whether a request is served or
//! refused, by which status, and whether the next one is still understood.
//! Start at [`converse`], and at [`Outcome::meets`].

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::cases::{Body, Case, End, Step};
use crate::judge::PROBE;

/// How long a server may be silent until it counts as not answering. Chosen: far above the long
/// polls' 50 ms; a server that waits for more bytes is waited for as long in every such row.
const SILENCE_MAX: Duration = Duration::from_millis(1_500);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    statuses: Vec<u16>,
    end: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The next request was answered.
    Open,
    /// One more answer came, which is none to the next request.
    OneMore(u16),
    Closed,
    /// Neither an answer nor a close.
    Silent,
    /// What came is no response.
    Garbage,
}

impl Outcome {
    /// Whether the statuses are those that the row asks for, and the connection ends as it says.
    pub(crate) fn meets(&self, case: &Case) -> bool {
        let awaited = case.steps.iter().filter_map(|step| match step {
            Step::Await(answer) => Some((answer, true)),
            Step::MayAwait(answer) => Some((answer, false)),
            _ => None,
        });
        let mut statuses = self.statuses.iter();
        for (answer, is_due) in awaited {
            match statuses.next() {
                Some(status) if answer.status.contains(status) => {}
                None if !is_due => {}
                _ => return false,
            }
        }
        let ends_well = match case.end {
            End::Closes | End::ClosesLater => self.end == Ended::Closed,
            End::StaysOpen => self.end == Ended::Open,
            End::AsAnnounced => matches!(self.end, Ended::Open | Ended::Closed),
        };
        statuses.next().is_none() && ends_well
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.end {
            Ended::Open => "open".to_owned(),
            Ended::OneMore(status) => format!("and a {status} too many"),
            Ended::Closed => "closed".to_owned(),
            Ended::Silent => "silent".to_owned(),
            Ended::Garbage => "garbage".to_owned(),
        };
        let (mut rest, mut shown) = (self.statuses.as_slice(), Vec::new());
        while let [first, ..] = rest {
            let same = rest.iter().take_while(|status| *status == first).count();
            shown.push(if same == 1 { first.to_string() } else { format!("{same} x {first}") });
            rest = &rest[same..];
        }
        shown.push(end);
        f.write_str(&shown.join(", "))
    }
}

/// What the row asks for, in the words of [`Outcome`].
pub(crate) fn asked(case: &Case) -> String {
    let statuses = case.steps.iter().filter_map(|step| match step {
        Step::Await(answer) | Step::MayAwait(answer) => Some(&answer.status),
        _ => None,
    });
    let alternatives = |statuses: &Vec<u16>| {
        statuses.iter().map(u16::to_string).collect::<Vec<String>>().join(" or ")
    };
    let mut words: Vec<String> = statuses.map(alternatives).collect();
    let answers = words.len();
    if answers > 4 {
        words = vec![format!("{answers} answers")];
    }
    words.push(String::from(match case.end {
        End::Closes | End::ClosesLater => "closed",
        End::StaysOpen => "open",
        End::AsAnnounced => "either",
    }));
    words.join(", ")
}

/// One row on a connection of its own.
pub(crate) fn converse(case: &Case, addr: SocketAddr) -> Outcome {
    let mut statuses = Vec::new();
    let end = match exchange(case, addr, &mut statuses) {
        Ok(end) => end,
        Err(error) => ended_by(&error),
    };
    Outcome { statuses, end }
}

fn exchange(case: &Case, addr: SocketAddr, statuses: &mut Vec<u16>) -> io::Result<Ended> {
    let mut wire = Wire::connect(addr)?;
    for step in &case.steps {
        match step {
            Step::Send(bytes) => wire.send(bytes),
            Step::Finish => wire.finish(),
            Step::Await(answer) | Step::MayAwait(answer) => {
                let to_head = matches!(answer.body, Body::Withheld { .. });
                let asked_to_go_on = answer.status.contains(&100);
                let mut status = wire.read_answer(to_head)?;
                if status == 100 && !asked_to_go_on {
                    status = wire.read_answer(to_head)?;
                }
                statuses.push(status);
            }
        }
    }
    wire.send(PROBE.as_bytes());
    let status = wire.read_answer(false)?;
    let in_step = wire.content == b"{\"status\":\"ok\"}";
    Ok(if in_step { Ended::Open } else { Ended::OneMore(status) })
}

fn ended_by(error: &io::Error) -> Ended {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ended::Silent,
        io::ErrorKind::InvalidData => Ended::Garbage,
        _ => Ended::Closed,
    }
}

/// A connection, and a reader that takes every framing that RFC 9112 §6 knows.
struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    /// Of the last answer.
    content: Vec<u8>,
}

impl Wire {
    fn connect(addr: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect_timeout(&addr, SILENCE_MAX)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream, received: Vec::new(), content: Vec::new() })
    }

    /// A server that has refused already need not read on: what counts is what it answers.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads one answer, and says its status.
    fn read_answer(&mut self, to_head: bool) -> io::Result<u16> {
        let head_end = self.read_until(b"\r\n\r\n")?;
        let head: Vec<u8> = self.received.drain(..head_end).collect();
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let status = head.strip_prefix("http/1.1 ").or_else(|| head.strip_prefix("http/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
        let status = status.ok_or_else(|| invalid("no status line"))?;
        let field = |name: &str| {
            head.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        self.content.clear();
        if to_head || status < 200 || status == 204 {
            return Ok(status);
        }
        match (field("transfer-encoding:"), field("content-length:")) {
            (Some(_), _) => self.read_chunks()?,
            (None, Some(length)) => {
                let length = length.parse().map_err(|_| invalid("no length"))?;
                self.content = self.read_exactly(length)?;
            }
            (None, None) => self.read_to_close()?,
        }
        Ok(status)
    }

    fn read_chunks(&mut self) -> io::Result<()> {
        loop {
            let line_end = self.read_until(b"\r\n")?;
            let line: Vec<u8> = self.received.drain(..line_end).collect();
            let line = String::from_utf8_lossy(&line);
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| invalid("no chunk size"))?;
            let chunk = self.read_exactly(size + 2)?;
            self.content.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn read_exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < count {
            self.receive()?;
        }
        Ok(self.received.drain(..count).collect())
    }

    fn read_to_close(&mut self) -> io::Result<()> {
        loop {
            match self.receive() {
                Err(error) if ended_by(&error) == Ended::Closed => break,
                outcome => outcome?,
            }
        }
        self.content = std::mem::take(&mut self.received);
        Ok(())
    }

    /// Receives until `mark` is there; its end.
    fn read_until(&mut self, mark: &[u8]) -> io::Result<usize> {
        loop {
            let at = self.received.windows(mark.len()).position(|bytes| bytes == mark);
            match at {
                Some(at) => return Ok(at + mark.len()),
                None => self.receive()?,
            }
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) if self.received.is_empty() => Err(io::ErrorKind::ConnectionReset.into()),
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            // A read with a timeout is not restarted when the process was stopped (signal(7)).
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
