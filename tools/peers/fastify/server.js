// Serves the API on Node.js: one process, or several behind one port with --workers.
//
// Every worker has a house of its own: Node's processes share nothing, and a real deployment would
// put a store behind them. With the default of one the API holds whole.

import cluster from 'node:cluster';
import { parseArgs } from 'node:util';
import { build } from './app.js';

const USAGE = `usage: run [--host 127.0.0.1] [--port 8080] [--workers 1] [--device-latency-ms 2]
           [--poll-timeout-ms 500] [--echo]
Each but --host and --echo can also be set by the environment: PORT, WORKERS, DEVICE_LATENCY_MS,
POLL_TIMEOUT_MS. --echo offers GET / and POST / for suites that test HTTP itself.`;

const { env } = process;

function readOptions() {
  const { values } = parseArgs({
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: env.PORT ?? '8080' },
      workers: { type: 'string', default: env.WORKERS ?? '1' },
      'device-latency-ms': { type: 'string', default: env.DEVICE_LATENCY_MS ?? '2' },
      'poll-timeout-ms': { type: 'string', default: env.POLL_TIMEOUT_MS ?? '500' },
      echo: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit();
  }
  const number = (name, least, greatest) => {
    const value = Number(values[name]);
    if (!(value >= least && value <= greatest)) {
      throw new Error(`--${name} ${values[name]}: a number from ${least} to ${greatest} is needed`);
    }
    return value;
  };
  return {
    host: values.host,
    port: number('port', 0, 65535),
    workers: number('workers', 1, 1024),
    deviceLatencyMs: number('device-latency-ms', 0, 60_000),
    pollTimeoutMs: number('poll-timeout-ms', 0, 600_000),
    echo: values.echo,
  };
}

function announce(host, port) {
  console.log(`listening on http://${host}:${port}`);
}

async function serve(options) {
  const app = build(options);
  for (const signal of ['SIGTERM', 'SIGINT']) {
    // Answers what is in flight, then the loop runs dry and the process ends.
    process.once(signal, () => app.close().then(() => cluster.worker?.disconnect()));
  }
  await app.listen({ host: options.host, port: options.port });
  if (cluster.isPrimary) announce(options.host, app.server.address().port);
}

function supervise({ host, workers }) {
  let listening = 0;
  cluster.on('listening', (worker, { port }) => {
    listening += 1;
    if (listening === workers) announce(host, port);
  });
  let stopping = false;
  const stop = () => {
    // Once: a second signal would end a worker that still answers what is in flight.
    if (stopping) return;
    stopping = true;
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
  };
  cluster.on('exit', (worker, code) => {
    // A server with fewer workers than asked for would be measured as if it had all.
    if (!stopping) process.exitCode = code || 1;
    stop();
  });
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop);
  for (let started = 0; started < workers; started += 1) cluster.fork();
}

let options;
try {
  options = readOptions();
} catch (error) {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exit(2);
}
if (cluster.isPrimary && options.workers > 1) supervise(options);
else await serve(options);
