"""A `ringpace serve` of its own, and what the kernel and /metrics say of it.

What the tools in Python share. Standard library only, and nothing of ringpace's own code on the side of the
client, so that both cannot share a mistake. Start at `Server`.
"""

import os
import resource
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ["uring", "epoll", "monoio-uring", "monoio-epoll"]
GAUGES = ["connections", "parked_polls", "timers"]


def binary():
    """The binary under test: $RINGPACE, else a release build of this tree."""
    if given := os.environ.get("RINGPACE"):
        return given
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    return str(ROOT / "target" / "release" / "ringpace")


def raise_descriptor_limit():
    """As far as it goes; children inherit it. How many descriptors that are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def reset_on_close(sock):
    """Closing it breaks the connection by a reset (SO_LINGER of zero, socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server:
    """Runs `ringpace serve` with these flags until the block ends; `address` is (host, port)."""

    def __init__(self, ringpace, *flags):
        command = [ringpace, "serve", "--listen", "127.0.0.1:0", *map(str, flags)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        for line in self.process.stdout:
            if line.startswith("listening on http://"):
                host, port = line.split("//")[1].strip().rsplit(":", 1)
                self.address = (host, int(port))
                return
        raise SystemExit(f"{' '.join(command)} ended with code {self.process.wait()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def url(self, target="/"):
        return f"http://{self.address[0]}:{self.address[1]}{target}"

    def terminate(self, patience=15):
        """SIGTERM; its exit code, or None if it has not ended in so many seconds."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def is_alive(self):
        return self.process.poll() is None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory_kib(self, field="VmRSS"):
        """VmRSS, the memory in use, or VmHWM, the most there ever was (proc(5))."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise RuntimeError(f"{field} is not in /proc/{self.pid}/status")

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self, patience=10):
        """Sums over all cores, by name, as seen by a connection that is then gone."""
        with socket.create_connection(self.address, patience) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        sums = {}
        for line in text.splitlines():
            if line.startswith("ringpace_"):
                name = line.removeprefix("ringpace_").split("{")[0]
                sums[name] = sums.get(name, 0) + int(line.rsplit(" ", 1)[1])
        return sums

    def await_rest(self, patience=30):
        """Waits until the gauges are back at zero but for the connection that asks, which may stand for one
        connection and one timer. What they were last, and whether that is rest."""
        until = time.monotonic() + patience
        while True:
            gauges = {name: self.metrics()[name] for name in GAUGES}
            rests = gauges["connections"] <= 1 and gauges["timers"] <= 1 and not gauges["parked_polls"]
            if rests or time.monotonic() > until:
                return gauges, rests
            time.sleep(0.1)
