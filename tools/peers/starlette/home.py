"""The house: what the devices show, the log of what happened to them, and who waits for more.

For one event loop: nothing here is locked. Knows nothing of HTTP. Start at `Home`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STATUS_BYTES = 120
COMMAND_BYTES = 80
EVENT_BYTES = 60

# Events that are kept; who falls further behind is told so.
LOG_CAPACITY = 65536

# How far from a whole step a number may lie: far above the rounding of a decimal such as 21.3, far
# below any digit that a person would write.
STEP_TOLERANCE = 1e-6


class Refusal(Exception):
    """Why a request cannot be met, as a sentence for the client."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


# From the value before to the value after. Values are whole steps: of the thermostat, tenths of a degree.
type Outcome = Callable[[int], int]


def _always(value: int) -> Outcome:
    return lambda _before: value


def _toggle(full: int) -> Outcome:
    return lambda before: full if before == 0 else 0


@dataclass(frozen=True, slots=True)
class Device:
    """What a device takes. Each but the sensor also knows the action `set`."""

    initial: int
    least: int = 0
    greatest: int = 0
    scale: int = 1
    actions: Mapping[str, Outcome] = field(default_factory=dict)
    unknown_action: str = ""
    out_of_range: str = ""
    between_steps: str = "the value must be a whole number"
    read_only: bool = False

    def show(self, value: int) -> str:
        return str(value) if self.scale == 1 else f"{value // self.scale}.{value % self.scale}"


DEVICES: Mapping[str, Device] = {
    "light": Device(
        initial=100,
        greatest=100,
        actions={"on": _always(100), "off": _always(0), "toggle": _toggle(100)},
        unknown_action="the light knows the actions set, on, off and toggle",
        out_of_range="the light takes values from 0 to 100",
    ),
    "thermostat": Device(
        initial=215,
        least=100,
        greatest=350,
        scale=10,
        unknown_action="the thermostat knows the action set",
        out_of_range="the thermostat takes values from 10.0 to 35.0",
        between_steps="the thermostat takes tenths of a degree",
    ),
    "lock": Device(
        initial=1,
        greatest=1,
        actions={"lock": _always(1), "unlock": _always(0), "toggle": _toggle(1)},
        unknown_action="the lock knows the actions set, lock, unlock and toggle",
        out_of_range="the value must be 0 or 1",
    ),
    "camera": Device(
        initial=0,
        greatest=1,
        actions={"on": _always(1), "off": _always(0), "toggle": _toggle(1)},
        unknown_action="the camera knows the actions set, on, off and toggle",
        out_of_range="the value must be 0 or 1",
    ),
    "sensor": Device(initial=47, read_only=True),
}


class Change(NamedTuple):
    """A command that its device accepts: it can be applied without a second look."""

    id: str
    outcome: Outcome


def read_change(id: str, command: Any) -> Change:
    """Reads a command, which is JSON of any shape, for the device `id`."""
    if not isinstance(command, dict):
        raise Refusal(422, "this is no command: it is not an object")
    action, value = command.get("action"), command.get("value")
    if not isinstance(action, str):
        raise Refusal(422, "this is no command: its action is not a string")
    # To Python a bool is an int.
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Refusal(422, "this is no command: its value is not a number")
    device = DEVICES[id]
    if device.read_only:
        raise Refusal(422, "the sensor is read-only")
    if action == "set":
        return Change(id, _always(_read_value(device, value)))
    outcome = device.actions.get(action)
    if outcome is None:
        raise Refusal(422, device.unknown_action)
    return Change(id, outcome)


def _read_value(device: Device, value: int | float | None) -> int:
    if value is None:
        raise Refusal(422, "the action set needs a number as its value")
    steps = value * device.scale
    # Before it is rounded: infinity cannot be.
    if not device.least - 0.5 < steps < device.greatest + 0.5:
        raise Refusal(422, device.out_of_range)
    nearest = round(steps)
    if abs(steps - nearest) > STEP_TOLERANCE:
        raise Refusal(422, device.between_steps)
    return nearest


def _padded(text: str, bracket: str, length: int) -> str:
    """Bodies have a fixed length whatever their values: JSON allows spaces before a closing bracket."""
    return text.ljust(length - 1) + bracket


class Event(NamedTuple):
    """By event `seq` the device `id` came to show `value`."""

    seq: int
    id: str
    value: int

    def command_body(self) -> str:
        value = DEVICES[self.id].show(self.value)
        text = f'{{"device":"{self.id}","status":"applied","value":{value},"seq":{self.seq}'
        return _padded(text, "}", COMMAND_BYTES)

    def event_body(self) -> str:
        value = DEVICES[self.id].show(self.value)
        text = f'{{"seq":{self.seq},"device":"{self.id}","value":{value}'
        return _padded(text, "}", EVENT_BYTES)


def timeout_body(seq: int) -> str:
    return _padded(f'{{"seq":{seq},"event":"timeout"', "}", EVENT_BYTES)


class Home:
    """All devices, the newest of their events, and those who wait for the next."""

    def __init__(self) -> None:
        self.newest = 0
        self._values = {id: device.initial for id, device in DEVICES.items()}
        self._log: deque[Event] = deque(maxlen=LOG_CAPACITY)
        self._waiting: dict[asyncio.Future[Event], int] = {}

    def status_body(self) -> str:
        devices = (f'{{"id":"{id}","v":{DEVICES[id].show(value)}}}' for id, value in self._values.items())
        return _padded(f"[{','.join(devices)}", "]", STATUS_BYTES)

    def apply(self, change: Change) -> Event:
        """Makes a change, and tells everybody who waits for it."""
        value = change.outcome(self._values[change.id])
        self._values[change.id] = value
        self.newest += 1
        event = Event(self.newest, change.id, value)
        self._log.append(event)
        for future, since in self._waiting.items():
            if since < event.seq and not future.done():
                future.set_result(event)
        return event

    async def next(self, since: int, timeout_s: float) -> Event | None:
        """The first event after `since`, as soon as there is one; `None` after `timeout_s`."""
        if event := self._first_after(since):
            return event
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = since
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            # It may have come at the last moment.
            return self._first_after(since)
        finally:
            del self._waiting[future]

    def _first_after(self, since: int) -> Event | None:
        if since >= self.newest:
            return None
        oldest = self._log[0].seq
        if since + 1 < oldest:
            raise Refusal(410, f"events after {since} have left the log; the oldest kept is {oldest}")
        return self._log[since + 1 - oldest]
