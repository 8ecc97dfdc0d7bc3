// The house: what the devices show, the log of what happened to them, and who waits for more.
//
// Pure but for the timers of those who wait; knows nothing of HTTP. Start at `Home`.

const STATUS_BYTES = 120;
const COMMAND_BYTES = 80;
const EVENT_BYTES = 60;

// Events that are kept; who falls further behind is told so.
const LOG_CAPACITY = 65536;

// How far from a whole step a number may lie: far above the rounding of a decimal such as 21.3, far
// below any digit that a person would write.
const STEP_TOLERANCE = 1e-6;

// Values are whole steps: of the thermostat, tenths of a degree. An action leads from the value
// before to the value after; every device but the sensor also knows `set`.
const toggle = (full) => (before) => (before === 0 ? full : 0);
const DEVICES = new Map([
  ['light', {
    initial: 100,
    least: 0,
    greatest: 100,
    actions: new Map([['on', () => 100], ['off', () => 0], ['toggle', toggle(100)]]),
    unknown: 'the light knows the actions set, on, off and toggle',
    range: 'the light takes values from 0 to 100',
    steps: 'the value must be a whole number',
  }],
  ['thermostat', {
    initial: 215,
    least: 100,
    greatest: 350,
    tenths: true,
    actions: new Map(),
    unknown: 'the thermostat knows the action set',
    range: 'the thermostat takes values from 10.0 to 35.0',
    steps: 'the thermostat takes tenths of a degree',
  }],
  ['lock', {
    initial: 1,
    least: 0,
    greatest: 1,
    actions: new Map([['lock', () => 1], ['unlock', () => 0], ['toggle', toggle(1)]]),
    unknown: 'the lock knows the actions set, lock, unlock and toggle',
    range: 'the value must be 0 or 1',
    steps: 'the value must be a whole number',
  }],
  ['camera', {
    initial: 0,
    least: 0,
    greatest: 1,
    actions: new Map([['on', () => 1], ['off', () => 0], ['toggle', toggle(1)]]),
    unknown: 'the camera knows the actions set, on, off and toggle',
    range: 'the value must be 0 or 1',
    steps: 'the value must be a whole number',
  }],
  ['sensor', { initial: 47, readOnly: true }],
]);

/** Why a request cannot be met, as a sentence for the client. */
export class Refusal extends Error {
  constructor(statusCode, sentence) {
    super(sentence);
    this.statusCode = statusCode;
  }
}

export const isDevice = (id) => DEVICES.has(id);

/** Reads a command for `id`; a change that is returned can be applied without a second look. */
export function readChange(id, command) {
  if (typeof command !== 'object' || command === null || Array.isArray(command)) {
    throw new Refusal(422, 'this is no command: it is not an object');
  }
  const { action, value } = command;
  if (typeof action !== 'string') {
    throw new Refusal(422, 'this is no command: its action is not a string');
  }
  if (value != null && typeof value !== 'number') {
    throw new Refusal(422, 'this is no command: its value is not a number');
  }
  const device = DEVICES.get(id);
  if (device.readOnly) throw new Refusal(422, 'the sensor is read-only');
  if (action === 'set') {
    const target = readValue(device, value);
    return { id, outcome: () => target };
  }
  const outcome = device.actions.get(action);
  if (outcome === undefined) throw new Refusal(422, device.unknown);
  return { id, outcome };
}

function readValue(device, value) {
  if (value == null) throw new Refusal(422, 'the action set needs a number as its value');
  const steps = device.tenths ? value * 10 : value;
  const nearest = Math.round(steps);
  if (!(nearest >= device.least && nearest <= device.greatest)) {
    throw new Refusal(422, device.range);
  }
  if (Math.abs(steps - nearest) > STEP_TOLERANCE) throw new Refusal(422, device.steps);
  return nearest + 0; // never minus zero
}

const shown = (id, value) => (DEVICES.get(id).tenths ? (value / 10).toFixed(1) : String(value));

// Bodies have a fixed length whatever their values: JSON allows spaces before a closing bracket.
const padded = (text, bracket, bytes) => text.padEnd(bytes - 1) + bracket;

export const commandBody = ({ seq, id, value }) =>
  padded(`{"device":"${id}","status":"applied","value":${shown(id, value)},"seq":${seq}`, '}', COMMAND_BYTES);

export const eventBody = ({ seq, id, value }) =>
  padded(`{"seq":${seq},"device":"${id}","value":${shown(id, value)}`, '}', EVENT_BYTES);

export const timeoutBody = (seq) => padded(`{"seq":${seq},"event":"timeout"`, '}', EVENT_BYTES);

export class Home {
  /** The seq of the newest event; 0 before the first. */
  newest = 0;
  #values = new Map(Array.from(DEVICES, ([id, { initial }]) => [id, initial]));
  #log = [];
  #waiting = new Set();

  statusBody() {
    const devices = Array.from(this.#values, ([id, value]) => `{"id":"${id}","v":${shown(id, value)}}`);
    return padded(`[${devices.join(',')}`, ']', STATUS_BYTES);
  }

  /** Makes a change, and tells everybody who waits for it. */
  apply({ id, outcome }) {
    const value = outcome(this.#values.get(id));
    this.#values.set(id, value);
    this.newest += 1;
    const event = { seq: this.newest, id, value };
    this.#log[event.seq % LOG_CAPACITY] = event;
    for (const waiter of this.#waiting) {
      if (waiter.since < event.seq) waiter.settle(event);
    }
    return event;
  }

  /** The first event after `since`, as soon as there is one; `undefined` after `timeoutMs`. */
  async next(since, timeoutMs) {
    if (since < this.newest) return this.#kept(since + 1);
    return new Promise((resolve) => {
      const settle = (event) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        resolve(event);
      };
      const timer = setTimeout(settle, timeoutMs);
      const waiter = { since, settle };
      this.#waiting.add(waiter);
    });
  }

  #kept(seq) {
    const oldest = Math.max(1, this.newest - LOG_CAPACITY + 1);
    if (seq < oldest) {
      const lost = `events after ${seq - 1} have left the log; the oldest kept is ${oldest}`;
      throw new Refusal(410, lost);
    }
    return this.#log[seq % LOG_CAPACITY];
  }
}
