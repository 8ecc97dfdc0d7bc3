//! The API over one house, as an axum router. Start at [`router`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::map_response_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};

use crate::home::{Change, Device, Home, timeout_body};
use crate::refusal::Refusal;

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

const NO_PATH: Refusal = Refusal::of(StatusCode::NOT_FOUND, "there is nothing at this path");
const NO_METHOD: Refusal =
    Refusal::of(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method");
const NO_DEVICE: Refusal = Refusal::of(
    StatusCode::NOT_FOUND,
    "there is no such device; there are light, thermostat, lock, camera, sensor",
);
const NO_SEQ: Refusal = Refusal::of(
    StatusCode::UNPROCESSABLE_ENTITY,
    "since is a seq: decimal digits, as the events carry it",
);
const NO_JSON_TYPE: Refusal = Refusal::of(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "a command is JSON; send Content-Type: application/json",
);

/// What can be set about the API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) device_latency: Duration,
    pub(crate) poll_timeout: Duration,
    pub(crate) echo: bool,
}

/// A body that is read whole before anything is refused: hyper closes a connection on which it is not.
type Content = Result<Bytes, BytesRejection>;

/// What every handler is given.
struct House {
    home: Home,
    settings: Settings,
    answers: Answers,
}

/// The router of a new house.
pub(crate) fn router(settings: Settings) -> Router {
    let house = Arc::new(House { home: Home::new(), settings, answers: Answers::default() });
    let mut resources = vec![
        ("/devices/status", readable(get(status))),
        // Not `post`, to which axum would add an Allow even where there is no such device.
        ("/devices/{id}/command", any(command)),
        ("/events/live", readable(get(events))),
        ("/healthz", readable(get(health))),
        ("/metrics", readable(get(metrics))),
    ];
    if settings.echo {
        let methods = get(|| echo(Bytes::from_static(b"OK"))).post(echo);
        resources.push(("/", refusing(methods, "GET, HEAD, POST, OPTIONS")));
    }
    let counting = |path| map_response_with_state((Arc::clone(&house), path), count);
    let nothing = any(|_: Content| async { NO_PATH }).layer(counting("other"));
    let mut router = Router::new().fallback_service(nothing.with_state(()));
    for (path, methods) in resources {
        router = router.route(path, methods.layer(counting(path)));
    }
    router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(house)
}

fn readable(methods: MethodRouter<Arc<House>>) -> MethodRouter<Arc<House>> {
    refusing(methods, "GET, HEAD, OPTIONS")
}

/// `methods`, and the word that there are no others.
fn refusing(methods: MethodRouter<Arc<House>>, allow: &'static str) -> MethodRouter<Arc<House>> {
    methods.fallback(move |method: Method, _: Content| async move { other_method(&method, allow) })
}

/// The answer to a method that is not among those of `allow`, and to OPTIONS, which asks for them.
fn other_method(method: &Method, allow: &'static str) -> Response {
    match *method {
        Method::OPTIONS => (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response(),
        _ => ([(ALLOW, allow)], NO_METHOD).into_response(),
    }
}

async fn count(
    State((house, path)): State<(Arc<House>, &'static str)>,
    response: Response,
) -> Response {
    house.answers.count(path, response.status());
    response
}

fn json(body: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn status(State(house): State<Arc<House>>) -> Response {
    json(house.home.status_body())
}

async fn command(
    State(house): State<Arc<House>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let method = request.method().clone();
    let typed = check_type(request.headers());
    let content: Content = Bytes::from_request(request, &()).await;
    let Path(id) = path.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    let device = Device::from_id(&id).ok_or(NO_DEVICE)?;
    if method != Method::POST {
        return Ok(other_method(&method, "POST, OPTIONS"));
    }
    typed?;
    let content = content.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    let command = serde_json::from_slice(&content).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the content is not JSON: {error}"))
    })?;
    let change = Change::read(device, &command)?;
    // Rounded up to whole milliseconds by tokio: a device is never early.
    tokio::time::sleep(house.settings.device_latency).await;
    Ok(json(house.home.apply(change).command_body()))
}

/// `application/json` or `application/*+json`, in any case and with any parameters.
fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(given) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = given.to_str().map_err(|_| NO_JSON_TYPE)?.to_ascii_lowercase();
    let subtype = text.split(';').next().and_then(|text| text.trim().strip_prefix("application/"));
    match subtype {
        Some(subtype) if subtype == "json" || subtype.ends_with("+json") => Ok(()),
        _ => Err(NO_JSON_TYPE),
    }
}

async fn events(
    State(house): State<Arc<House>>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    // The last one counts.
    let given = parameters.iter().rfind(|(name, _)| name == "since");
    let since = match given {
        None => house.home.newest(),
        Some((_, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| NO_SEQ)?
        }
        Some(_) => return Err(NO_SEQ),
    };
    let event = house.home.next(since, house.settings.poll_timeout).await?;
    Ok(json(match event {
        Some(event) => event.event_body(),
        None => timeout_body(since.min(house.home.newest())),
    }))
}

async fn health() -> Response {
    json(r#"{"status":"ok"}"#)
}

async fn metrics(State(house): State<Arc<House>>) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], house.answers.render()).into_response()
}

async fn echo(content: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream")], content).into_response()
}

/// How many answers there were, by path and status.
#[derive(Default)]
struct Answers(Mutex<BTreeMap<(&'static str, u16), u64>>);

impl Answers {
    fn count(&self, path: &'static str, status: StatusCode) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((path, status.as_u16())).or_default() += 1;
    }

    fn render(&self) -> String {
        let mut text = String::from(
            "# HELP peer_requests_total Requests answered.\n# TYPE peer_requests_total counter\n",
        );
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((path, status), count) in counts.iter() {
            let labels = format!("path=\"{path}\",status=\"{status}\"");
            writeln!(text, "peer_requests_total{{{labels}}} {count}")
                .expect("writing to a String cannot fail");
        }
        text
    }
}
