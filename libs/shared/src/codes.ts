/** Every problem code that the HTTP APIs answer with, and its status (spec 0, "How"; RFC 9457). Codes are stable. */
export const problems = {
  malformed_body: { status: 400, title: 'The body is not valid JSON' },
  invalid_input: { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'A valid bearer token is needed' },
  forbidden: { status: 403, title: 'The token does not allow this' },
  not_found: { status: 404, title: 'There is no such resource' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  not_acceptable: { status: 406, title: 'Only JSON is answered' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  conflict: { status: 409, title: 'The present state does not allow this' },
  already_exists: { status: 409, title: 'It exists already' },
  destination_conflict: { status: 409, title: 'The destination is another one, or belongs to another connector' },
  precondition_failed: { status: 412, title: 'It has changed since it was read' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  idempotency_key_reused: { status: 422, title: 'The idempotency key belongs to another request' },
  unprocessable: { status: 422, title: 'The request is understood, but not acceptable' },
  secrets_refused: { status: 422, title: 'Secrets cannot be kept here' },
  too_many_requests: { status: 429, title: 'Too often' },
  headers_too_large: { status: 431, title: 'The headers, or the address, are too large' },
  internal: { status: 500, title: 'Something went wrong here' },
  unavailable: { status: 503, title: 'Not ready yet' },
} as const;

export type ProblemCode = keyof typeof problems;

/** One fault of an input: where (RFC 6901 pointer into the body, or the parameter's name) and what to do about it. */
export interface InputFault {
  readonly pointer: string;
  readonly message: string;
}

/** An error that a caller can branch on: its code is part of the API, its detail is for people. */
export class HouseError extends Error {
  override readonly name = 'HouseError';

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly more: { readonly errors?: readonly InputFault[]; readonly retryAfterSeconds?: number } = {},
  ) {
    super(detail);
  }
}
