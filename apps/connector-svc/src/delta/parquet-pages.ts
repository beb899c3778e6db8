import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type AsyncBuffer, type FileMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors, decompressZstd } from 'hyparquet-compressors';
import { ConnectorFault } from '../connector/fault';

const mostPageBytes = 128 * 1024 * 1024;
const mostValuesInPage = 5_000_000;

/** The same bytes; the pages in what was read are weighed before hyparquet unpacks them, since a few bytes can claim billions of values. */
export function checkedPages(file: AsyncBuffer, metadata: FileMetaData, uri: string): AsyncBuffer {
  const chunks = metadata.row_groups.flatMap(({ columns }) => columns.map(({ meta_data: meta }) => rangeOf(meta!)));
  const slice = async (start: number, end = file.byteLength) => {
    const bytes = await file.slice(start, end);
    for (const chunk of chunks) {
      const [from, to] = [Math.max(chunk.start, start), Math.min(chunk.end, end)];
      if (from < to) weighPages(new DataView(bytes, from - start, to - from), uri);
    }
    return bytes;
  };
  return { byteLength: file.byteLength, slice };
}

function rangeOf(meta: NonNullable<FileMetaData['row_groups'][number]['columns'][number]['meta_data']>) {
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  return { start, end: start + Number(meta.total_compressed_size) };
}

function weighPages(view: DataView, uri: string): void {
  const reader = { view, offset: 0 };
  while (reader.offset < view.byteLength - 1) {
    const header = parquetHeader(reader);
    const page = header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header;
    const [values, size] = [page?.num_values ?? 0, header.uncompressed_page_size];
    if (values > mostValuesInPage || size > mostPageBytes) {
      throw new ConnectorFault('too_large', `${uri}: a page of ${values} values and ${size} bytes`);
    }
    if (!(header.compressed_page_size >= 0)) throw new ConnectorFault('corrupt', `${uri}: a page without a size`);
    reader.offset += header.compressed_page_size;
  }
}

/** hyparquet gives the size that a page claims, which was weighed; these keep to it whatever the bytes say. */
export const boundedCompressors = {
  ...compressors,
  GZIP: (input: Uint8Array, length: number) => gunzipSync(input, { maxOutputLength: Math.max(length, 1) }),
  BROTLI: (input: Uint8Array, length: number) => brotliDecompressSync(input, { maxOutputLength: Math.max(length, 1) }),
  ZSTD: (input: Uint8Array, length: number) => decompressZstd(input, new Uint8Array(length)),
};
