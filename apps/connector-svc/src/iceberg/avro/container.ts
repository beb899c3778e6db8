import { ConnectorFault } from '../../connector/fault';
import { unpack } from './codecs';
import { Cursor } from './cursor';
import { type AvroSchema, compileAvro } from './decoder';

const magic = Buffer.from('Obj\x01', 'latin1');
const largestHeader = 16 << 20;
const largestPackedBlock = 64 << 20;

/**
 * Reads an Avro container file piece by piece (Avro 1.11, "Object Container Files") and yields its records. Throws ConnectorFault `corrupt`
 * for whatever breaks the format – a wrong sync marker, an end inside a block – and `unsupported` for an unknown codec.
 */
export async function* readAvro<T>(
  uri: string,
  pieces: AsyncIterable<Buffer>,
  wanted: (field: string) => boolean,
): AsyncGenerator<T, void, undefined> {
  const source = new ByteSource(pieces);
  try {
    const header = await readHeader(source);
    const decode = compileAvro(header.schema, wanted);
    while (!(await source.ended())) {
      const [count, block] = await readBlock(source, header);
      const cursor = new Cursor(unpacked(header, block));
      // No record of ours is empty; without this a few bytes could stand for records without end.
      if (count > cursor.bytes.length) throw new RangeError('a block has more records than bytes');
      for (let n = 0; n < count; n++) yield decode(cursor) as T;
      if (cursor.at !== cursor.bytes.length) throw new RangeError('a block is longer than its records');
    }
  } catch (error) {
    throw broken(uri, error);
  } finally {
    await source.close();
  }
}

interface Header {
  readonly schema: AvroSchema;
  readonly sync: Buffer;
  readonly unpack: (block: Buffer) => Buffer;
}

async function readHeader(source: ByteSource): Promise<Header> {
  if (!(await source.take(4)).equals(magic)) throw new RangeError('it is not an Avro file');
  const facts = new Map<string, Buffer>();
  let size = 0;
  for (let count = await source.int(); count !== 0; count = await source.int()) {
    if (count < 0) await source.int();
    for (let n = Math.abs(count); n > 0; n--) {
      const name = (await source.take(await source.int())).toString();
      const value = await source.take(await source.int());
      size += name.length + value.length;
      if (size > largestHeader) throw new RangeError('its header is too large');
      facts.set(name, value);
    }
  }
  const codec = facts.get('avro.codec')?.toString() ?? 'null';
  if (!Object.hasOwn(unpack, codec)) throw new UnknownCodec(codec);
  const schema = JSON.parse(facts.get('avro.schema')?.toString() ?? '') as AvroSchema;
  return { schema, unpack: unpack[codec]!, sync: await source.take(16) };
}

async function readBlock(source: ByteSource, header: Header): Promise<[number, Buffer]> {
  const count = await source.int();
  const size = await source.int();
  if (count < 0 || size < 0 || size > largestPackedBlock) throw new RangeError('a block has an impossible size');
  const block = await source.take(size);
  if (!(await source.take(16)).equals(header.sync)) throw new RangeError('a sync marker is wrong');
  return [count, block];
}

class UnknownCodec extends Error {}

function broken(uri: string, error: unknown): unknown {
  if (error instanceof UnknownCodec) {
    return new ConnectorFault('unsupported', `${uri}: its Avro codec is ${error.message.slice(0, 40)}`);
  }
  const isFormat = error instanceof RangeError || error instanceof SyntaxError;
  return isFormat ? new ConnectorFault('corrupt', `${uri}: ${error.message}`, { cause: error }) : error;
}

/** The decompressors throw errors of many kinds. */
function unpacked({ unpack }: Header, block: Buffer): Buffer {
  try {
    return unpack(block);
  } catch (error) {
    throw new RangeError(`a block does not unpack: ${(error as Error).message}`, { cause: error });
  }
}

/** Bytes that come in pieces, taken in lengths of one's own. */
class ByteSource {
  private readonly iterator: AsyncIterator<Buffer>;
  private held: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Buffer>) {
    this.iterator = pieces[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    if (length < 0 || length > largestPackedBlock) throw new RangeError('a length is impossible');
    if (this.held.length < length && !(await this.fill(length))) throw new RangeError('the file is cut short');
    const taken = this.held.subarray(0, length);
    this.held = this.held.subarray(length);
    return taken;
  }

  async int(): Promise<number> {
    const bytes: number[] = [];
    do bytes.push((await this.take(1))[0]!);
    while (bytes.at(-1)! >= 0x80 && bytes.length < 10);
    return new Cursor(Buffer.from(bytes)).int();
  }

  async ended(): Promise<boolean> {
    return this.held.length === 0 && !(await this.fill(1));
  }

  async close(): Promise<void> {
    await this.iterator.return?.();
  }

  private async fill(length: number): Promise<boolean> {
    const pieces = [this.held];
    let size = this.held.length;
    while (size < length) {
      const next = await this.iterator.next();
      if (next.done) break;
      pieces.push(next.value);
      size += next.value.length;
    }
    this.held = Buffer.concat(pieces);
    return size >= length;
  }
}
