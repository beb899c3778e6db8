import { createHash } from 'node:crypto';
import { HouseError } from '@homeostat/shared';
import type { Request, Response } from 'express';
import { canonical, present } from './json';

/** Returns the strong ETag of a representation: another one as soon as anything that is shown differs. */
export function etagOf(representation: object): string {
  const digest = createHash('sha256')
    .update(canonical(present(representation)))
    .digest('base64url');
  return `"${digest.slice(0, 27)}"`;
}

/**
 * Throws HouseError `precondition_failed` unless `ifMatch` is null, `*`, or names this representation: the very object
 * that a GET would answer with (RFC 9110, section 13.1.1).
 */
export function checkIfMatch(ifMatch: string | null, representation: object): void {
  if (ifMatch === null || ifMatch.trim() === '*' || tags(ifMatch).includes(etagOf(representation))) return;
  throw new HouseError('precondition_failed', `it is ${etagOf(representation)} now, and If-Match says ${ifMatch}`);
}

/** How a route answers: with which status, and where what it made is found. */
export interface Manner {
  readonly status: number;
  readonly location: string | null;
}

/** Sends an answer as JSON; single resources carry an ETag, and are not sent again to who has them already. */
export function send(request: Request, response: Response, { status, location }: Manner, answer: unknown): void {
  if (answer === undefined) return void response.status(204).end();
  const body = present(answer);
  if (location !== null) response.setHeader('Location', location);
  if (isResource(body)) {
    const tag = etagOf(body);
    response.setHeader('ETag', tag);
    if (isRead(request) && knows(request.headers['if-none-match'], tag)) return void response.status(304).end();
  }
  response.status(status).setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(body));
}

function isResource(body: unknown): body is object {
  return body !== null && typeof body === 'object' && 'id' in body && 'generation' in body;
}

function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** If-None-Match compares weakly (RFC 9110, section 13.1.2). */
function knows(header: string | undefined, tag: string): boolean {
  return header !== undefined && (header.trim() === '*' || tags(header.replaceAll('W/', '')).includes(tag));
}

function tags(header: string): string[] {
  return header.split(',').map((tag) => tag.trim());
}
