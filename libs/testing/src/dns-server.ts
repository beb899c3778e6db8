import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';

/** What a name answers. `txt`: records, each of strings of at most 255 bytes; `silent`: never anything. */
export type DnsAnswer =
  | { readonly txt: readonly (readonly string[])[] }
  | 'nxdomain'
  | 'nodata'
  | 'servfail'
  | 'refused'
  | 'silent'
  | { readonly delayMs: number; readonly then: DnsAnswer };

const rcodes = { nodata: 0, servfail: 2, nxdomain: 3, refused: 5 };
const flags = { authoritative: 1 << 10, truncated: 1 << 9, recursionDesired: 1 << 8 };
const smallestUdp = 512;
const largestMessage = 65_535;
// With the system's 208 KiB, a burst of 500 questions loses about half.
const receiveBufferBytes = 1 << 20;

/** Starts a name server for TXT, UDP and TCP on one free port of `host`; names that were not set are NXDOMAIN. */
export async function startDnsServer(host = '127.0.0.1'): Promise<DnsServer> {
  for (;;) {
    const tcp = createServer().listen(0, host);
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    try {
      udp.bind(port, host);
      await once(udp, 'listening');
      udp.setRecvBufferSize(receiveBufferBytes);
      return new DnsServer(`${host}:${port}`, udp, tcp);
    } catch (error) {
      // Another program may hold the same number for UDP only.
      tcp.close();
      udp.close();
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** A name server whose answers a test sets; names are compared without regard to case (RFC 4343). */
export class DnsServer {
  private readonly answers = new Map<string, DnsAnswer>();
  private readonly counts = new Map<string, number>();
  private readonly connections = new Set<Socket>();
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(
    /** "127.0.0.1:PORT", as a resolver's list of servers takes it. */
    readonly address: string,
    private readonly udp: UdpSocket,
    private readonly tcp: ReturnType<typeof createServer>,
  ) {
    udp.on('message', (message, from) => this.overUdp(message, from));
    tcp.on('connection', (connection) => this.overTcp(connection));
  }

  /** What `name` answers from now on. */
  set(name: string, answer: DnsAnswer): void {
    this.answers.set(name.toLowerCase(), answer);
  }

  /** Makes `name` unknown again. */
  clear(name: string): void {
    this.answers.delete(name.toLowerCase());
  }

  /** How many questions about `name` came; one that was repeated over TCP counts twice. */
  queries(name: string): number {
    return this.counts.get(name.toLowerCase()) ?? 0;
  }

  /** Drops every connection and answer under way, and frees the port. */
  async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    for (const connection of this.connections) connection.destroy();
    const closed = [once(this.udp, 'close'), once(this.tcp, 'close')];
    this.udp.close();
    this.tcp.close();
    await Promise.all(closed);
  }

  private overUdp(message: Buffer, from: RemoteInfo): void {
    const query = readQuery(message);
    if (!query) return;
    const limit = Math.max(smallestUdp, payloadSize(query));
    this.respond(query, (answer) => {
      const whole = response(query, answer);
      const sent = whole.length <= limit ? whole : response(query, 'nodata', flags.truncated);
      this.udp.send(sent, from.port, from.address);
    });
  }

  private overTcp(connection: Socket): void {
    this.connections.add(connection);
    connection.on('close', () => this.connections.delete(connection));
    connection.on('error', () => connection.destroy());
    let unread: Buffer = Buffer.alloc(0);
    connection.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk]);
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE()) {
        const end = 2 + unread.readUInt16BE();
        const query = readQuery(unread.subarray(2, end));
        unread = unread.subarray(end);
        if (query) this.respond(query, (answer) => connection.write(framed(response(query, answer))));
      }
    });
  }

  private respond(query: Packet, send: (answer: Immediate) => void): void {
    const name = query.questions![0]!.name.toLowerCase();
    this.counts.set(name, this.queries(name) + 1);
    this.later(this.answers.get(name) ?? 'nxdomain', send);
  }

  private later(answer: DnsAnswer, send: (answer: Immediate) => void): void {
    if (answer === 'silent') return;
    if (typeof answer === 'string' || 'txt' in answer) return send(answer);
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.later(answer.then, send);
    }, answer.delayMs);
    this.timers.add(timer);
  }
}

type Immediate = keyof typeof rcodes | { readonly txt: readonly (readonly string[])[] };

function readQuery(message: Buffer): Packet | null {
  try {
    const query = decode(message);
    return query.type === 'query' && query.questions?.length === 1 ? query : null;
  } catch {
    return null;
  }
}

function payloadSize(query: Packet): number {
  return Math.max(0, ...(query.additionals ?? []).map((one) => (one.type === 'OPT' ? one.udpPayloadSize : 0)));
}

function response(query: Packet, answer: Immediate, more = 0): Buffer {
  const question = query.questions![0]!;
  const records = typeof answer === 'object' && question.type === 'TXT' ? answer.txt : [];
  const rcode = typeof answer === 'string' ? rcodes[answer] : 0;
  const asked = (query.flags ?? 0) & flags.recursionDesired;
  const head = encode({
    type: 'response',
    id: query.id,
    flags: flags.authoritative | asked | more | rcode,
    questions: [question],
  });
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, ...records.map(txtRecord)]);
}

// dns-packet does not compress names; without the pointer to the question 1 000 records would not fit in one message.
function txtRecord(strings: readonly string[]): Buffer {
  const data = Buffer.concat((strings.length > 0 ? strings : ['']).map((text) => sized(Buffer.from(text))));
  const head = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function sized(bytes: Buffer): Buffer {
  if (bytes.length > 255) throw new RangeError(`a string of a TXT record has at most 255 bytes, not ${bytes.length}`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function framed(message: Buffer): Buffer {
  if (message.length > largestMessage) throw new RangeError(`a DNS message has at most ${largestMessage} bytes`);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
