"""Serves the API by uvicorn: one process, or several behind one port with --workers.

Every worker has a house of its own: the processes share nothing, and a real deployment would put a
store behind them. With the default of one the API holds whole.
"""

import argparse
import os
import platform
import signal
import sys
import sysconfig

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from app import Settings, build

BACKLOG = 2048


def read_options() -> argparse.Namespace:
    env = os.environ.get
    parser = argparse.ArgumentParser(
        prog="run",
        description="The API of ringpace on Starlette and uvicorn.",
        epilog="PORT, WORKERS, DEVICE_LATENCY_MS and POLL_TIMEOUT_MS in the environment stand for their flags.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=env("PORT", "8080"))
    parser.add_argument("--workers", type=int, default=env("WORKERS", "1"))
    parser.add_argument("--device-latency-ms", type=float, default=env("DEVICE_LATENCY_MS", "2"))
    parser.add_argument("--poll-timeout-ms", type=float, default=env("POLL_TIMEOUT_MS", "500"))
    parser.add_argument("--echo", action="store_true", help="offer GET / and POST / for suites that test HTTP")
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--http", choices=["httptools", "h11"], default="httptools", help="who parses HTTP")
    options = parser.parse_args()
    if options.workers < 1 or options.device_latency_ms < 0 or options.poll_timeout_ms < 0:
        parser.error("--workers is 1 or more, and a time is not negative")
    return options


def build_from_environment() -> Starlette:
    """What every worker builds: started afresh, it knows the flags by the environment only."""
    return build(
        Settings(
            device_latency_s=float(os.environ["DEVICE_LATENCY_MS"]) / 1000,
            poll_timeout_s=float(os.environ["POLL_TIMEOUT_MS"]) / 1000,
            echo=os.environ["ECHO"] == "True",
        )
    )


def python_in_use() -> str:
    """The version, and whether it has the JIT: only a build that was configured for it may (PEP 744)."""
    configured = "--enable-experimental-jit" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return f"Python {platform.python_version()}, built {'with' if configured else 'without'} the JIT"


def main() -> None:
    options = read_options()
    print(python_in_use(), file=sys.stderr)
    os.environ["DEVICE_LATENCY_MS"] = str(options.device_latency_ms)
    os.environ["POLL_TIMEOUT_MS"] = str(options.poll_timeout_ms)
    os.environ["ECHO"] = str(options.echo)
    config = uvicorn.Config(
        "server:build_from_environment",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers,
        loop=options.loop,
        http=options.http,
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    # Having answered what is in flight, uvicorn raises the signal again: that is no failure.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    socket = config.bind_socket()
    socket.listen(BACKLOG)
    print(f"listening on http://{options.host}:{socket.getsockname()[1]}", flush=True)
    server = uvicorn.Server(config)
    if options.workers == 1:
        server.run(sockets=[socket])
    else:
        Multiprocess(config, target=server.run, sockets=[socket]).run()


if __name__ == "__main__":
    main()
