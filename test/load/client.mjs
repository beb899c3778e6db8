import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 60_000;
const expected = [200, 201, 202, 204, 409, 422, 429];

/**
 * A client that takes no refusal of a connection for an answer: it asks again, with the same Idempotency-Key, whoever
 * of `urls(path)` is next. Anything but the answers that a correct client may get is noted in `surprises`.
 */
export class Client {
  surprises = [];
  counts = { requests: 0, repeated: 0 };
  turn = 0;

  /** `token` null: none is asked for. */
  constructor(urls, token = null) {
    this.urls = urls;
    this.own = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  /** Resolves to the body; throws where it is refused, or there is none after a minute. */
  async get(path) {
    const { status, body } = await this.ask('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** Resolves to `{ status, body }`; a conflict is an answer, too. */
  post(path, body = {}) {
    return this.ask('POST', path, JSON.stringify(body));
  }

  /** Once it was done, it is not found when it is asked for again. */
  remove(path) {
    return this.ask('DELETE', path, undefined, [...expected, 404]);
  }

  async ask(method, path, body, fine = expected) {
    const headers =
      method === 'POST'
        ? { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...this.own }
        : this.own;
    this.counts.requests += 1;
    for (const endMs = performance.now() + PATIENCE_MS; performance.now() < endMs; this.counts.repeated += 1) {
      const answer = await this.once(path, { method, body, headers });
      if (answer && answer.status !== 503) return this.judged(`${method} ${path}`, answer, fine);
      await sleep(100);
    }
    throw new Error(`${method} ${path}: no answer within ${PATIENCE_MS} ms`);
  }

  /** null where nobody answered. */
  async once(path, options) {
    const urls = this.urls(path);
    if (urls.length === 0) return null;
    this.turn += 1;
    try {
      const url = urls[this.turn % urls.length] + path;
      const response = await fetch(url, { ...options, signal: AbortSignal.timeout(20_000) });
      const text = await response.text();
      return { status: response.status, body: text === '' ? null : JSON.parse(text) };
    } catch {
      return null;
    }
  }

  judged(what, answer, fine) {
    if (!fine.includes(answer.status)) this.surprises.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }
}
