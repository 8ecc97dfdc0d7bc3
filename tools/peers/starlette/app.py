"""The API over one house, as a Starlette application. Start at `build`."""

import asyncio
import json
import re
import time
from collections import Counter
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from home import DEVICES, Home, Refusal, read_change, timeout_body

# Longest body that is read.
BODY_BYTES_MAX = 64 * 1024

JSON_TYPE = re.compile(r"application/(json|[^;\s]+\+json)\s*(;|$)", re.IGNORECASE)
SEQ_MAX = 2**64 - 1
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

NO_PATH = "there is nothing at this path"
NO_METHOD = "this path does not take that method"
NO_DEVICE = "there is no such device; there are light, thermostat, lock, camera, sensor"
NO_SEQ = "since is a seq: decimal digits, as the events carry it"
NO_JSON_TYPE = "a command is JSON; send Content-Type: application/json"
TOO_LARGE = f"a body has at most {BODY_BYTES_MAX} bytes"


class Settings(NamedTuple):
    """What can be set about the API."""

    device_latency_s: float
    poll_timeout_s: float
    echo: bool


def build(settings: Settings) -> Starlette:
    """The application; each has a house of its own."""
    home = Home()
    answers: Counter[tuple[str, int]] = Counter()

    async def status(request: Request) -> Response:
        return _json(home.status_body())

    async def command(request: Request) -> Response:
        id = request.path_params["id"]
        if id not in DEVICES:
            raise Refusal(404, NO_DEVICE)
        change = read_change(id, await _read_json(request))
        await _sleep_at_least(settings.device_latency_s)
        return _json(home.apply(change).command_body())

    async def events(request: Request) -> Response:
        since = _read_since(request)
        if since is None:
            since = home.newest
        event = await home.next(since, settings.poll_timeout_s)
        return _json(event.event_body() if event else timeout_body(min(since, home.newest)))

    async def health(request: Request) -> Response:
        return _json('{"status":"ok"}')

    async def metrics(request: Request) -> Response:
        samples = (
            f'peer_requests_total{{path="{path}",status="{status}"}} {count}\n'
            for (path, status), count in answers.items()
        )
        head = "# HELP peer_requests_total Requests answered.\n# TYPE peer_requests_total counter\n"
        return Response(head + "".join(samples), headers={"Content-Type": METRICS_TYPE})

    async def echo(request: Request) -> Response:
        content = await _read_body(request) if request.method == "POST" else b"OK"
        return Response(content, media_type="application/octet-stream")

    routes = [
        Route("/devices/status", status, methods=["GET"]),
        Route("/devices/{id}/command", command, methods=["POST"]),
        Route("/events/live", events, methods=["GET"]),
        Route("/healthz", health, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
    if settings.echo:
        routes.append(Route("/", echo, methods=["GET", "POST"]))
    paths = {route.endpoint: route.path for route in routes}
    app = Starlette(
        routes=routes,
        middleware=[Middleware(CountAnswers, answers=answers, paths=paths)],
        exception_handlers={Refusal: _refuse, HTTPException: _refuse_route, ClientDisconnect: _give_up},
    )
    # A path with a slash more is another path.
    app.router.redirect_slashes = False
    return app


class CountAnswers:
    """Counts every answer by path and status. Plain ASGI: Starlette's own base class costs a task each."""

    def __init__(self, app: ASGIApp, answers: Counter[tuple[str, int]], paths: dict[Any, str]) -> None:
        self.app = app
        self.answers = answers
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = self.paths.get(scope.get("endpoint"), "other")
                self.answers[path, message["status"]] += 1
            await send(message)

        await self.app(scope, receive, counting_send)


def _json(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(text, status, headers, media_type="application/json")


def _error(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return _json(json.dumps({"error": sentence}, ensure_ascii=False, separators=(",", ":")), status, headers)


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return _error(refusal.status, refusal.sentence)


async def _give_up(request: Request, exception: Exception) -> Response:
    """The client left before its body was whole: nobody reads this."""
    return Response(status_code=400)


async def _refuse_route(request: Request, exception: Exception) -> Response:
    """What the router finds no endpoint for: 404, and 405 with the methods that there are."""
    assert isinstance(exception, HTTPException)
    if exception.status_code != 405:
        return _error(404, NO_PATH)
    # A device that does not exist has no methods to name.
    if request.path_params.get("id", "light") not in DEVICES:
        return _error(404, NO_DEVICE)
    headers = {"Allow": f"{(exception.headers or {})['Allow']}, OPTIONS"}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    return _error(405, NO_METHOD, headers)


async def _read_body(request: Request) -> bytes:
    """The body, refused as soon as it is too long."""
    if int(request.headers.get("Content-Length", "0")) > BODY_BYTES_MAX:
        raise Refusal(413, TOO_LARGE)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Refusal(413, TOO_LARGE)
    return bytes(body)


async def _read_json(request: Request) -> Any:
    content_type = request.headers.get("Content-Type")
    if content_type is not None and not JSON_TYPE.match(content_type):
        raise Refusal(415, NO_JSON_TYPE)
    body = await _read_body(request)
    try:
        # Decoded here: json would also take UTF-16, and NaN, which JSON does not have.
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the content is not JSON: {error}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value")


def _read_since(request: Request) -> int | None:
    """The seq that a poll names; `None` if it names none. The last one counts."""
    given = request.query_params.getlist("since")
    if not given:
        return None
    digits = given[-1]
    # Not isdigit alone, which knows the digits of every script; a seq beyond 20 digits is none.
    if not (digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) <= 20 and int(digits) <= SEQ_MAX):
        raise Refusal(422, NO_SEQ)
    return int(digits)


async def _sleep_at_least(seconds: float) -> None:
    """uvloop counts in whole milliseconds from the loop's cached time and may wake up to one early; a
    device never does. The rest is slept in whole milliseconds too, or the loop would spin."""
    due = time.monotonic() + seconds
    await asyncio.sleep(seconds)
    while time.monotonic() < due:
        await asyncio.sleep(0.001)
