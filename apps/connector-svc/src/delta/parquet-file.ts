import {
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  readOffsetIndex,
  type AsyncBuffer,
  type FileMetaData,
  type SchemaTree,
} from 'hyparquet';
import { ConnectorFault } from '../connector/fault';
import { type ObjectStore } from '../storage/storage.port';
import { chosen, type ColumnChoice } from './parquet-columns';
import { boundedCompressors, checkedPages } from './parquet-pages';

const smallFile = 1024 * 1024;
const tailBytes = 512 * 1024;
const mostBytesAtOnce = 256 * 1024 * 1024;
const mostRows = 20_000_000;
const windowBytes = 1024 * 1024;
const mostRowsInWindow = 5_000;

/** A Parquet file whose footer was read. */
export interface ParquetFile {
  readonly uri: string;
  readonly bytes: AsyncBuffer;
  readonly metadata: FileMetaData;
}

/** Where a Parquet file is, and how large. */
export interface ParquetPlace {
  readonly uri: string;
  readonly size: number;
}

/** Reads a file's footer. Throws ConnectorFault: `corrupt`, `too_large`, and those of the store. */
export async function openParquet(
  store: ObjectStore,
  { uri, size }: ParquetPlace,
  signal?: AbortSignal,
): Promise<ParquetFile> {
  const read = async (start: number, end: number) => {
    const limit = mostBytesAtOnce;
    if (end - start > limit) throw new ConnectorFault('too_large', `${uri}: ${end - start} bytes at once`);
    const bytes = await store.read(uri, { range: { offset: start, length: end - start }, limit, signal });
    if (bytes.length < end - start)
      throw new ConnectorFault('corrupt', `${uri}: ends ${end - start - bytes.length} bytes early`);
    return arrayBufferOf(bytes);
  };
  return guarded(uri, signal, async () => {
    const from = size <= smallFile ? 0 : size - tailBytes;
    const tail = await read(from, size);
    const slice = (start: number, end = size) =>
      start >= from ? tail.slice(start - from, end - from) : read(start, Math.min(end, size));
    const bytes = { byteLength: size, slice };
    const metadata = await parquetMetadataAsync(bytes);
    if (metadata.num_rows > mostRows) throw new ConnectorFault('too_large', `${uri}: ${metadata.num_rows} rows`);
    return { uri, bytes, metadata };
  });
}

/** The rows of the chosen columns, from a row on, about a MiB at a time; dates, decimals and timestamps as they are stored, without their type. */
export async function* rowsOf(
  file: ParquetFile,
  choice: ColumnChoice,
  from: number,
  signal?: AbortSignal,
): AsyncIterable<Record<string, unknown>[]> {
  const metadata = chosen(file.metadata, choice);
  if (metadata.schema.length <= 1) return;
  const bytes = checkedPages(file.bytes, metadata, file.uri);
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const starts = await guarded(file.uri, signal, () => windowStarts(file, group));
    for (const [at, start] of starts.entries()) {
      const [rowStart, rowEnd] = [Math.max(from, groupStart + start), groupStart + (starts[at + 1] ?? rows)];
      if (rowStart >= rowEnd) continue;
      yield await guarded(file.uri, signal, () => readWindow(bytes, metadata, rowStart, rowEnd));
    }
    groupStart += rows;
  }
}

/** The tree of a file's columns. */
export function schemaOf(file: ParquetFile): SchemaTree {
  return parquetSchema(file.metadata);
}

function readWindow(file: AsyncBuffer, metadata: FileMetaData, rowStart: number, rowEnd: number) {
  return parquetReadObjects({
    ...{ file, metadata, rowStart, rowEnd, useOffsetIndex: true, utf8: false },
    compressors: boundedCompressors,
    parsers: { timestampFromNanoseconds: (nanos: bigint) => nanos },
  });
}

type RowGroup = FileMetaData['row_groups'][number];

/**
 * The first rows of windows of about `windowBytes`, each made of whole pages of the widest column, so that none is unpacked twice. Without
 * an offset index any window costs the whole group, so that is one.
 */
async function windowStarts({ bytes, uri }: ParquetFile, { columns, num_rows: rows }: RowGroup): Promise<number[]> {
  const size = columns.reduce((sum, column) => sum + sizeOf(column), 0);
  if (!columns.every((column) => column.offset_index_offset && column.offset_index_length)) {
    if (size > mostBytesAtOnce)
      throw new ConnectorFault('too_large', `${uri}: a row group of ${size} bytes without an offset index`);
    return [0];
  }
  const widest = columns.reduce((wide, column) => (sizeOf(column) > sizeOf(wide) ? column : wide));
  const offset = Number(widest.offset_index_offset);
  const index = await bytes.slice(offset, offset + widest.offset_index_length!);
  const pages = readOffsetIndex({ view: new DataView(index), offset: 0 }).page_locations.map((page) =>
    Number(page.first_row_index),
  );
  const wanted = Math.min(mostRowsInWindow, Math.ceil((Number(rows) * windowBytes) / Math.max(size, 1)));
  return windowsOf(pages, Number(rows), wanted);
}

function windowsOf(pages: readonly number[], rows: number, wanted: number): number[] {
  const starts = [0];
  for (const page of [...pages, rows]) {
    const end = Math.min(page, rows);
    let start = starts.at(-1)!;
    for (; end - start > mostRowsInWindow; starts.push(start)) start += mostRowsInWindow;
    if (end < rows && end - start >= wanted) starts.push(end);
  }
  return starts;
}

function sizeOf({ meta_data: meta }: RowGroup['columns'][number]): number {
  return Number(meta?.total_uncompressed_size ?? 0n);
}

/** What goes wrong while bytes are understood is the file's fault; faults and aborts come back as they are. */
async function guarded<T>(uri: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ConnectorFault || signal?.aborted) throw cause;
    throw new ConnectorFault('corrupt', `${uri}: not readable as Parquet: ${(cause as Error).message}`, { cause });
  }
}

function arrayBufferOf(bytes: Buffer): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  const whole = byteOffset === 0 && byteLength === buffer.byteLength;
  return (whole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
}
