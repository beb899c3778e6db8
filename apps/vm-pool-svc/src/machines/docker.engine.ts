import { Agent, request } from 'undici';
import { z } from 'zod';

/** A container as Docker knows it: `created`, `running`, `restarting`, `paused`, `exited`, `removing` or `dead`. */
export interface Container {
  readonly status: string;
  readonly labels: Readonly<Record<string, string>>;
}

type Method = 'GET' | 'POST' | 'DELETE';
interface Ask {
  readonly signal?: AbortSignal;
  readonly body?: object;
  /** Refusals that mean no more than that it is so already, or not there. */
  readonly fine?: readonly number[];
}

/** That of Docker 25, which newer engines speak too. */
const VERSION = 'v1.44';
/** A list of 16 000 containers takes half of it. */
const ANSWER_LIMIT = 64 << 20;
const WORDS_LIMIT = 500;

const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => found ?? {});
const inspected = z.object({ State: z.object({ Status: z.string() }), Config: z.object({ Labels: labels }) });
const listed = z.array(z.object({ State: z.string(), Labels: labels }));
const refusal = z.object({ message: z.string() });

/**
 * What machines need of the Docker Engine API, over the engine's socket. Every order may be repeated. All throw an Error
 * with the engine's words when it refuses, or with what to do when it cannot be asked.
 */
export class DockerEngine {
  private readonly agent: Agent;

  constructor(private readonly socket: string) {
    this.agent = new Agent({ connect: { socketPath: socket, timeout: 5_000 } });
  }

  /** Breaks off what is under way, pulls too. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** The container of that name, or null. */
  async container(name: string, signal: AbortSignal): Promise<Container | null> {
    const text = await this.ask('GET', `/containers/${name}/json`, { signal, fine: [404] });
    if (text === null) return null;
    const { State, Config } = parsed(inspected, text);
    return { status: State.Status, labels: Config.Labels };
  }

  /** Every container that has this label, in whatever state. */
  async labelled(label: string, signal: AbortSignal): Promise<Container[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const text = await this.ask('GET', `/containers/json?all=1&filters=${filters}`, { signal });
    return parsed(listed, text!).map(({ State, Labels }) => ({ status: State, labels: Labels }));
  }

  /** Makes a container, unless there is one of that name. */
  async make(name: string, body: object, signal: AbortSignal): Promise<void> {
    await this.ask('POST', `/containers/create?name=${name}`, { signal, body, fine: [409] });
  }

  async start(name: string, signal: AbortSignal): Promise<void> {
    await this.ask('POST', `/containers/${name}/start`, { signal });
  }

  /** Asks it to end, and ends it after `seconds`. */
  async stop(name: string, seconds: number, signal: AbortSignal): Promise<void> {
    await this.ask('POST', `/containers/${name}/stop?t=${seconds}`, { signal, fine: [404] });
  }

  /** Removes it with its volumes, or lets Docker go on with that (409). */
  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.ask('DELETE', `/containers/${name}?force=1&v=1`, { signal, fine: [404, 409] });
  }

  /** Makes a network, unless there is one of that name. */
  async ensureNetwork(name: string, body: object, signal: AbortSignal): Promise<void> {
    if ((await this.ask('GET', `/networks/${name}`, { signal, fine: [404] })) !== null) return;
    await this.ask('POST', '/networks/create', { signal, body: { Name: name, ...body }, fine: [409] });
  }

  async hasImage(image: string, signal: AbortSignal): Promise<boolean> {
    return (await this.ask('GET', `/images/${encodeURIComponent(image)}/json`, { signal, fine: [404] })) !== null;
  }

  /** Fetches an image from its registry, which may take minutes. Its answer is a line per progress, or per fault. */
  async pull(image: string): Promise<void> {
    const text = await this.ask('POST', `/images/create?fromImage=${encodeURIComponent(image)}`, {});
    const fault = /"error":("(?:[^"\\]|\\.)*")/.exec(text!)?.[1];
    if (fault !== undefined) throw new Error(parsed(z.string(), fault).slice(0, WORDS_LIMIT));
  }

  /** What the engine answers, or null where its refusal is fine. 304: it is so already. */
  private async ask(method: Method, path: string, { signal, body, fine = [] }: Ask): Promise<string | null> {
    const { status, text } = await this.send(method, path, body, signal);
    if (status < 300 || status === 304) return text;
    if (fine.includes(status)) return null;
    const words = parsed(refusal, text).message.slice(0, WORDS_LIMIT);
    throw new Error(`the Docker engine refused ${method} ${path.split('?')[0]}: ${words} (${status})`);
  }

  private async send(method: Method, path: string, body: object | undefined, signal: AbortSignal | undefined) {
    const sent = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    try {
      const url = `http://docker/${VERSION}${path}`;
      const answer = await request(url, { method, dispatcher: this.agent, signal, ...sent });
      return { status: answer.statusCode, text: await textOf(answer.body) };
    } catch (error) {
      signal?.throwIfAborted();
      const { message, syscall } = error as NodeJS.ErrnoException;
      const fix = syscall === 'connect' ? '; start it, let this user use it, or set RECONCILER_DOCKER_SOCKET' : '';
      throw new Error(`the Docker engine at ${this.socket} cannot be asked: ${message}${fix}`, { cause: error });
    }
  }
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > ANSWER_LIMIT) throw new Error(`it answered more than ${ANSWER_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parsed<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`the Docker engine answered what it never should: ${text.slice(0, 100)}`, { cause: error });
  }
}
