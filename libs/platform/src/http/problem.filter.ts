import { HouseError } from '@homeostat/shared';
import { type ArgumentsHost, Catch, type ExceptionFilter, NotFoundException } from '@nestjs/common';
import type { Request, Response } from 'express';
import { v7 as uuidv7 } from 'uuid';
import type { Log } from '../logs';
import { type Told, faultOfOurs, problemOf } from './problem';

/** Answers every error as application/problem+json; logs what is a fault of ours. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  /** `methodsOf` returns the methods that a path has routes for. */
  constructor(
    private readonly methodsOf: (path: string) => readonly string[],
    private readonly log: Log,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    if (response.headersSent) return void response.destroy();
    const { problem, retryAfterSeconds } =
      problemOf(this.sharpened(error, request, response)) ?? this.fault(error, request);
    if (retryAfterSeconds !== null) response.setHeader('Retry-After', String(retryAfterSeconds));
    // The rest of a body that is too large is not read, so nothing can follow it on this connection.
    if (problem.status === 413) response.setHeader('Connection', 'close');
    response.status(problem.status).setHeader('Content-Type', 'application/problem+json; charset=utf-8');
    response.end(JSON.stringify(problem));
  }

  /**
   * Nest knows no difference between a path without a route and one with routes for other methods; and a word in the
   * place of an id is one with routes of its own.
   */
  private sharpened(error: unknown, { method, path }: Request, response: Response): unknown {
    const methods = this.methodsOf(path);
    const isMalformed = error instanceof HouseError && error.code === 'invalid_input';
    if (isMalformed && (methods.length === 0 || methods.includes(method))) return error;
    if (!isMalformed && !(error instanceof NotFoundException)) return error;
    if (methods.length === 0) return new HouseError('not_found', `there is nothing at ${path}`);
    response.setHeader('Allow', methods.join(', '));
    return new HouseError('method_not_allowed', `${method} is not possible here; ${methods.join(', ')} is`);
  }

  private fault(error: unknown, { method, path }: Request): Told {
    const reference = uuidv7();
    this.log.error({ err: error, reference, method, path }, 'request failed');
    return { problem: faultOfOurs(reference), retryAfterSeconds: null };
  }
}
