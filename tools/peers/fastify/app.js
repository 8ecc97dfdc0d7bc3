// The API over one house, as a Fastify application. Start at `build`.

import { STATUS_CODES } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { Home, Refusal, commandBody, eventBody, isDevice, readChange, timeoutBody } from './home.js';

// Longest body that is read.
const BODY_BYTES_MAX = 64 * 1024;
// From the first byte of a request to its last.
const REQUEST_MS_MAX = 30_000;

const JSON_TYPE = /^application\/(json|[^;\s]+\+json)\s*(;|$)/i;
// What Fastify routes; other methods that Node's parser knows are not found.
const METHODS = [
  'DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT', 'OPTIONS', 'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE',
  'LOCK', 'UNLOCK', 'TRACE', 'SEARCH', 'REPORT', 'MKCALENDAR',
];
const SEQ_MAX = 2n ** 64n - 1n;

const NO_PATH = 'there is nothing at this path';
const NO_METHOD = 'this path does not take that method';
const NO_DEVICE = 'there is no such device; there are light, thermostat, lock, camera, sensor';
const NO_SEQ = 'since is a seq: decimal digits, as the events carry it';
const NO_JSON_TYPE = 'a command is JSON; send Content-Type: application/json';

export function build({ deviceLatencyMs, pollTimeoutMs, echo }) {
  const home = new Home();
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    useSemicolonDelimiter: false,
    clientErrorHandler,
    frameworkErrors: (error, request, reply) => refuse(reply, error),
  });

  // Bodies stay bytes: who needs JSON reads it, and says what is wrong with it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
  app.addHook('onRequest', staySilentAboutTheConnection);
  app.setErrorHandler((error, request, reply) => refuse(reply, error));
  app.setNotFoundHandler((request, reply) => refuse(reply, new Refusal(404, NO_PATH)));
  const metrics = countAnswers(app);

  resource(app, '/devices/status', {
    GET: (request, reply) => json(reply, home.statusBody()),
  });
  resource(app, '/devices/:id/command', {
    POST: async (request, reply) => {
      const { id } = request.params;
      if (!isDevice(id)) throw new Refusal(404, NO_DEVICE);
      const change = readChange(id, readJson(request));
      await sleepAtLeast(deviceLatencyMs);
      return json(reply, commandBody(home.apply(change)));
    },
  });
  resource(app, '/events/live', {
    GET: async (request, reply) => {
      const since = readSince(request.query.since) ?? home.newest;
      const event = await home.next(since, pollTimeoutMs);
      const body = event ? eventBody(event) : timeoutBody(Math.min(since, home.newest));
      return json(reply, body);
    },
  });
  resource(app, '/healthz', {
    GET: (request, reply) => json(reply, '{"status":"ok"}'),
  });
  resource(app, '/metrics', {
    GET: (request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(metrics()),
  });
  if (echo) {
    resource(app, '/', {
      GET: (request, reply) => reply.send(Buffer.from('OK')),
      POST: (request, reply) => reply.send(request.body ?? Buffer.alloc(0)),
    });
  }
  return app;
}

/** Routes `handlers`, by method; OPTIONS tells of them, and every other method is refused with 405. */
function resource(app, url, handlers) {
  const methods = Object.keys(handlers).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  const allow = [...methods, 'OPTIONS'].join(', ');
  for (const [method, handler] of Object.entries(handlers)) {
    app.route({ method, url, handler }); // Fastify adds HEAD to GET
  }
  app.options(url, (request, reply) => reply.code(204).header('allow', allow).send());
  app.route({
    method: METHODS.filter((method) => method !== 'OPTIONS' && !methods.includes(method)),
    url,
    handler: (request, reply) => {
      const { id } = request.params;
      // A device that does not exist has no methods to name.
      if (id !== undefined && !isDevice(id)) throw new Refusal(404, NO_DEVICE);
      reply.header('allow', allow);
      throw new Refusal(405, NO_METHOD);
    },
  });
}

/** Sends `text`, which is JSON already, without the charset that Fastify would add to its type. */
function json(reply, text) {
  return reply.header('content-type', 'application/json').serializer(String).send(text);
}

function refuse(reply, error) {
  const statusCode = error.statusCode >= 400 && error.statusCode < 500 ? error.statusCode : 500;
  // What went wrong inside is for the operator, not for the client.
  if (statusCode === 500) process.stderr.write(`${error.stack}\n`);
  const sentence = statusCode === 500 ? 'the server failed' : error.message;
  return json(reply.code(statusCode), JSON.stringify({ error: sentence }));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readJson({ headers, body }) {
  const type = headers['content-type'];
  if (type !== undefined && !JSON_TYPE.test(type)) throw new Refusal(415, NO_JSON_TYPE);
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    throw new Refusal(400, `the content is not JSON: ${error.message}`);
  }
}

/** The seq that a poll names; `undefined` if it names none. The last one counts. */
function readSince(given) {
  const digits = Array.isArray(given) ? given.at(-1) : given;
  if (digits === undefined) return undefined;
  if (!/^\d+$/.test(digits) || BigInt(digits) > SEQ_MAX) throw new Refusal(422, NO_SEQ);
  return Number(digits);
}

/** Node's timers count from the loop's cached time and may fire a millisecond early; a device never does. */
async function sleepAtLeast(ms) {
  const due = performance.now() + ms;
  for (let left = ms; left > 0; left = due - performance.now()) {
    await sleep(Math.ceil(left));
  }
}

/** HTTP/1.1 keeps connections open unless told otherwise: no need for Connection and Keep-Alive. */
function staySilentAboutTheConnection(request, reply, done) {
  if (request.raw.httpVersion === '1.1' && reply.raw.shouldKeepAlive) reply.raw.removeHeader('connection');
  done();
}

/** What Node's parser refuses never becomes a request; it is answered here, and the connection ends. */
function clientErrorHandler(error, socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const statusCode = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code] ?? 400;
  const body = JSON.stringify({ error: `this is not a request: ${error.reason ?? error.message}` });
  const head = [
    `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Counts every answer of `app` by path and status; returns what renders the counts for Prometheus. */
function countAnswers(app) {
  const counts = new Map();
  app.addHook('onResponse', (request, reply, done) => {
    const path = request.routeOptions.url ?? 'other';
    const labels = `path="${path}",status="${reply.statusCode}"`;
    counts.set(labels, (counts.get(labels) ?? 0) + 1);
    done();
  });
  return () => {
    const samples = Array.from(counts, ([labels, count]) => `peer_requests_total{${labels}} ${count}\n`);
    return `# HELP peer_requests_total Requests answered.\n# TYPE peer_requests_total counter\n${samples.join('')}`;
  };
}
