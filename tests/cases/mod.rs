//! The table of the conformance suite: what is sent, and what must come back, row by row.
//!
//! A row names the rule it holds the server to: `12§6.1` is RFC 9112, `10§8.6` is RFC 9110, `API` is
//! the project's contract. Where the RFCs leave a choice the row asks for what the project chose,
//! and where the project left it open too, for any of the allowed outcomes.
//! Not here: sending and judging, which the module `judge` does. Start at [`table`].

mod api;
mod connection;
mod framing;
mod lines;

/// The house before any command, to the byte.
pub(crate) const STATUS: &str = "[{\"id\":\"light\",\"v\":100},{\"id\":\"thermostat\",\"v\":21.5},{\"id\":\"lock\",\
                          \"v\":1},{\"id\":\"camera\",\"v\":0},{\"id\":\"sensor\",\"v\":47}  ]";

/// A long poll that found no event in a house that never had one, to the byte.
pub(crate) const NO_EVENT: &str =
    "{\"seq\":0,\"event\":\"timeout\"                                 }";

/// Every row.
pub(crate) fn table() -> Vec<Case> {
    [lines::rows(), framing::rows(), connection::rows(), api::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// Which server a row is sent to. All have `--echo` but [`Target::Bare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// No row sent here may change the house: that is checked when all are done.
    Quiet,
    /// Rows whose commands are carried out.
    Busy,
    /// Without `--echo`.
    Bare,
    /// With deadlines of 250 ms for head, content and idleness.
    Impatient,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A FIN and no reset, nothing of what is behind the row being answered.
    Closes,
    /// The next request is answered, and nothing else: the server is in step.
    StaysOpen,
    /// A FIN after a while of nothing, which the last answer need not announce.
    ClosesLater,
    /// Either, but the answer must say which by `Connection: close`.
    AsAnnounced,
}

/// What a body must be.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Exact(String),
    /// `{"error":"..."}` with a sentence in it.
    Error,
    /// The 80 bytes of a confirmed command, whatever its seq.
    Applied {
        device: &'static str,
        value: String,
    },
    /// The 60 bytes of a poll, whatever they tell.
    Polled,
    /// Not looked at.
    Any,
    /// None, and the head says nothing of one (204, 1xx).
    Absent,
    /// None, but the head is that of an answer with this much content (HEAD).
    Withheld {
        bytes: Option<usize>,
    },
    /// An answer whose status decides: `ok` for 200, else an error.
    OkOrError(Box<Body>),
}

/// One response that must come.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: Vec<u16>,
    pub(crate) body: Body,
    /// `None`: `application/json`, as every answer of the API.
    pub(crate) content_type: Option<&'static str>,
    /// Methods that `Allow` must list.
    pub(crate) allows: &'static [&'static str],
}

impl Answer {
    fn of(status: &[u16], body: Body) -> Answer {
        Answer { status: status.to_vec(), body, content_type: None, allows: &[] }
    }

    fn allowing(mut self, methods: &'static [&'static str]) -> Answer {
        self.allows = methods;
        self
    }
}

/// One step of a conversation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// A FIN from the client.
    Finish,
    Await(Answer),
    /// This answer, or a close right away.
    MayAwait(Answer),
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) rule: &'static str,
    pub(crate) target: Target,
    pub(crate) steps: Vec<Step>,
    /// Whether a 100 (Continue) may come before an answer without being asked for by a step.
    pub(crate) may_continue: bool,
    /// Whether an HTTP/1.0 client asked to keep the connection: then staying open is confirmed.
    pub(crate) asks_keep_alive: bool,
    /// Whether bytes behind the row would be its content, so that none may be put there.
    pub(crate) owns_what_follows: bool,
    pub(crate) end: End,
}

impl Case {
    fn on(mut self, target: Target) -> Case {
        self.target = target;
        self
    }

    fn may_continue(mut self) -> Case {
        self.may_continue = true;
        self
    }

    fn asks_keep_alive(mut self) -> Case {
        self.asks_keep_alive = true;
        self
    }

    fn owns_what_follows(mut self) -> Case {
        self.owns_what_follows = true;
        self
    }

    /// All that is sent, as one.
    pub(crate) fn sent(&self) -> Vec<u8> {
        let sends = self.steps.iter().filter_map(|step| match step {
            Step::Send(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        sends.collect::<Vec<_>>().concat()
    }

    pub(crate) fn finishes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Finish))
    }
}

fn conversation(
    name: impl Into<String>,
    rule: &'static str,
    steps: impl Into<Vec<Step>>,
    end: End,
) -> Case {
    Case {
        name: name.into(),
        rule,
        target: Target::Quiet,
        steps: steps.into(),
        may_continue: false,
        asks_keep_alive: false,
        owns_what_follows: false,
        end,
    }
}

/// Everything is sent, then everything must come.
fn row(
    name: impl Into<String>,
    rule: &'static str,
    sent: impl AsRef<[u8]>,
    answers: impl IntoIterator<Item = Answer>,
    end: End,
) -> Case {
    let mut steps = vec![Step::Send(sent.as_ref().to_vec())];
    steps.extend(answers.into_iter().map(Step::Await));
    conversation(name, rule, steps, end)
}

/// The request is answered with an error of one of these statuses, and the connection closes.
fn refused(
    name: impl Into<String>,
    rule: &'static str,
    sent: impl AsRef<[u8]>,
    status: &[u16],
) -> Case {
    row(name, rule, sent, [error(status)], End::Closes)
}

/// The request is answered by the status of the untouched house, and the connection stays open.
fn serves(name: impl Into<String>, rule: &'static str, sent: impl AsRef<[u8]>) -> Case {
    row(name, rule, sent, [status()], End::StaysOpen)
}

/// As [`row`], then a FIN behind what is sent.
fn half_closed(
    name: impl Into<String>,
    rule: &'static str,
    sent: impl AsRef<[u8]>,
    answers: impl IntoIterator<Item = Answer>,
) -> Case {
    let mut case = row(name, rule, sent, answers, End::Closes);
    case.steps.insert(1, Step::Finish);
    case
}

fn status() -> Answer {
    Answer::of(&[200], Body::Exact(STATUS.into()))
}

fn healthy() -> Answer {
    Answer::of(&[200], Body::Exact("{\"status\":\"ok\"}".into()))
}

fn no_event() -> Answer {
    Answer::of(&[200], Body::Exact(NO_EVENT.into()))
}

fn applied(device: &'static str, value: &str) -> Answer {
    let value = value.to_owned();
    Answer::of(&[200], Body::Applied { device, value })
}

fn error(status: &[u16]) -> Answer {
    Answer::of(status, Body::Error)
}

/// The answer of `--echo`.
fn echoed(body: impl Into<String>) -> Answer {
    let body = Body::Exact(body.into());
    Answer { content_type: Some("application/octet-stream"), ..Answer::of(&[200], body) }
}

/// The same, or a refusal.
fn echoed_or(status: u16, body: impl Into<String>) -> Answer {
    let answer = echoed(body);
    Answer { status: vec![200, status], body: Body::OkOrError(Box::new(answer.body)), ..answer }
}

fn continues() -> Answer {
    Answer::of(&[100], Body::Absent)
}

/// `GET` of a target on HTTP/1.1 with a Host and nothing else.
fn get(target: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET ", target.as_ref(), b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat()
}

/// A request for the status with more field lines, each ended by the caller.
fn get_with(lines: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET /devices/status HTTP/1.1\r\nHost: h\r\n", lines.as_ref(), b"\r\n"].concat()
}

/// `method` on `target`, with more field lines (each ended by the caller) and content.
fn request(
    method: &str,
    target: &str,
    lines: impl AsRef<[u8]>,
    content: impl AsRef<[u8]>,
) -> Vec<u8> {
    let start = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n");
    [start.as_bytes(), lines.as_ref(), b"\r\n", content.as_ref()].concat()
}

/// `POST /`, which echoes its content.
fn echo(lines: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST", "/", lines, content)
}

/// `POST /` with `Transfer-Encoding: chunked` and these bytes behind the head.
fn chunked(coded: impl AsRef<[u8]>) -> Vec<u8> {
    echo("Transfer-Encoding: chunked\r\n", coded)
}

/// A command with its JSON, framed and typed as it should be.
fn command(device: &str, json: impl AsRef<[u8]>) -> Vec<u8> {
    let json = json.as_ref();
    let lines = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
    request("POST", &format!("/devices/{device}/command"), lines, json)
}

/// `bytes` in a name: escaped and short.
fn named(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().escape_ascii().to_string().chars().take(40).collect()
}
