import { isUtf8 } from 'node:buffer';
import { HouseError } from '@homeostat/shared';
import type { Request } from 'express';

/** Spec 0, "How". */
const mostBytes = 1_048_576;

/**
 * Reads a request's JSON body (RFC 8259: UTF-8); none at all counts as an empty object. Throws HouseError where it is
 * too large, of another type, encoded in another way, or malformed.
 */
export async function readJson(request: Request): Promise<unknown> {
  const bytes = await read(request);
  if (bytes.length === 0) return {};
  checkType(request);
  if (!isUtf8(bytes)) throw new HouseError('malformed_body', 'the body is not valid UTF-8');
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new HouseError('malformed_body', `the body is not valid JSON: ${position(error)}`);
  }
}

async function read(request: Request): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function checkType(request: Request): void {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='));
  if (!/^application\/([\w.+-]+\+)?json$/.test(type.trim())) {
    throw new HouseError('unsupported_media_type', 'send the body as Content-Type: application/json');
  }
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new HouseError('unsupported_media_type', 'JSON is sent in UTF-8');
  }
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new HouseError('unsupported_media_type', 'send the body without a Content-Encoding');
  }
}

function tooLarge(): HouseError {
  return new HouseError('body_too_large', `a body may have ${mostBytes} bytes at most`);
}

/** The parser's message quotes the body around the fault, which may be a secret: only its position is told. */
function position(error: unknown): string {
  return /at position \d+/.exec((error as Error).message)?.[0] ?? 'it ends too early, or has a character too much';
}
