import { Unavailable } from '@homeostat/reconcile';
import { Controller, Get, Injectable, Res } from '@nestjs/common';
import type { Response } from 'express';
import { register } from 'prom-client';
import { metrics } from '../telemetry/gauges';
import { Open } from './auth.guard';

/** Something that must be well before requests are sent here: null when it is, else a sentence. */
export interface ReadinessCheck {
  readonly name: string;
  check(): Promise<string | null>;
}

export interface Readiness {
  readonly status: 'ready' | 'unready';
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly message: string | null }[];
}

/** Several load balancers may ask; the database hears of it once a second at most. */
const freshMs = 1_000;

/** The checks of all services in this process. */
@Injectable()
export class ReadinessChecks {
  private readonly checks: ReadinessCheck[] = [];
  private latest: { readonly at: number; readonly answer: Promise<Readiness> } | null = null;

  add(...checks: readonly ReadinessCheck[]): void {
    this.checks.push(...checks);
    this.latest = null;
  }

  /** The result of all checks, at most one second old. */
  ask(): Promise<Readiness> {
    const now = performance.now();
    if (this.latest === null || now - this.latest.at > freshMs) this.latest = { at: now, answer: this.run() };
    return this.latest.answer;
  }

  private async run(): Promise<Readiness> {
    const checks = await Promise.all(
      this.checks.map(async ({ name, check }) => {
        const message = await check().catch(reasonOf);
        return { name, ok: message === null, message };
      }),
    );
    return { status: checks.every(({ ok }) => ok) ? 'ready' : 'unready', checks };
  }
}

/** Anybody may ask, so what is said of an error names no host, user or table; the log does. */
function reasonOf(error: unknown): string {
  return error instanceof Unavailable ? 'it cannot be reached just now' : 'asking it failed: the log says why';
}

/** What an orchestrator and Prometheus ask (spec 0, "Where"). */
@Open()
@Controller()
export class ProbesController {
  constructor(private readonly readiness: ReadinessChecks) {}

  @Get('/healthz')
  alive(): object {
    return { status: 'ok' };
  }

  @Get('/readyz')
  async ready(@Res() response: Response): Promise<void> {
    const answer = await this.readiness.ask();
    response.status(answer.status === 'ready' ? 200 : 503).json(answer);
  }

  @Get('/metrics')
  async metrics(@Res() response: Response): Promise<void> {
    const text = await metrics();
    response.setHeader('Content-Type', register.contentType).end(text);
  }
}
