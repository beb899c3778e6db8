import { Agent, request } from 'undici';

/**
 * The socket of the Docker engine that `DOCKER_HOST` leads to; null where it leads to none: then it is said loudly, and
 * the suite is to be skipped, on CI too, where `node test/machines.mjs` runs it. Throws there when `DOCKER_HOST` is no socket.
 */
export function dockerSocket({ DOCKER_HOST, CI }: NodeJS.ProcessEnv): string | null {
  if (DOCKER_HOST?.startsWith('unix://')) return DOCKER_HOST.slice('unix://'.length);
  if (DOCKER_HOST && CI) throw new Error(`DOCKER_HOST is no socket: ${DOCKER_HOST}`);
  const how = '`node test/machines.mjs` runs it, and DOCKER_HOST=unix:///var/run/docker.sock lets it run here';
  process.stderr.write(`\n!! SKIPPED: everything with a real Docker engine; ${how}\n\n`);
  return null;
}

/** A way round the code under test to a Docker engine. */
export class TestEngine {
  private readonly agent: Agent;

  constructor(readonly socket: string) {
    this.agent = new Agent({ connect: { socketPath: socket } });
  }

  close(): Promise<void> {
    return this.agent.destroy();
  }

  /** Answers in JSON or, for streams, in text. Throws with the engine's words when it refuses. */
  async ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object | Buffer): Promise<T> {
    const headers = {
      'content-type': Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json',
      'x-registry-auth': 'e30',
    };
    const sent = Buffer.isBuffer(body) ? body : body && JSON.stringify(body);
    const answer = await request(`http://docker/v1.44${path}`, { method, dispatcher: this.agent, headers, body: sent });
    const text = await answer.body.text();
    if (answer.statusCode >= 400 || text.includes('"errorDetail"')) throw new Error(`${method} ${path}: ${text}`);
    return (/^[[{].*[\]}]\s*$/.test(text) ? JSON.parse(text) : text) as T;
  }

  /** Makes an image of a program that only waits, with a volume at `/data`. For engines on x86-64. */
  async importPause(name: string): Promise<void> {
    const changes = ['ENTRYPOINT ["/pause"]', 'VOLUME /data', 'STOPSIGNAL SIGKILL', 'LABEL homeostat.vm=forged'];
    const query = new URLSearchParams({ fromSrc: '-', repo: name, platform: 'linux/amd64' });
    for (const change of changes) query.append('changes', change);
    await this.ask('POST', `/images/create?${query.toString()}`, tarOf('pause', pause()));
  }
}

/** An ELF program (System V ABI, x86-64): `do pause(); while (true)`. */
function pause(): Buffer {
  const code = Buffer.from('b8220000000f05ebf7', 'hex');
  const [header, segment, base] = [64, 56, 0x400000];
  const size = header + segment + code.length;
  const elf = Buffer.alloc(size);
  elf.write('7f454c4602010100', 'hex');
  elf.writeUInt16LE(2, 16); // executable
  elf.writeUInt16LE(62, 18); // x86-64
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(BigInt(base + header + segment), 24); // where it begins
  elf.writeBigUInt64LE(BigInt(header), 32); // where the segments are told
  elf.writeUInt16LE(header, 52);
  elf.writeUInt16LE(segment, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, header); // to be loaded,
  elf.writeUInt32LE(5, header + 4); // read and executed
  elf.writeBigUInt64LE(BigInt(base), header + 16);
  elf.writeBigUInt64LE(BigInt(base), header + 24);
  elf.writeBigUInt64LE(BigInt(size), header + 32);
  elf.writeBigUInt64LE(BigInt(size), header + 40);
  elf.writeBigUInt64LE(0x1000n, header + 48);
  code.copy(elf, header + segment);
  return elf;
}

/** A tar archive (POSIX ustar) of one program. */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000755\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc(1024 + ((512 - (content.length % 512)) % 512));
  return Buffer.concat([header, content, padding]);
}
