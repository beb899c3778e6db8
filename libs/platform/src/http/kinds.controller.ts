import { Controller } from '@nestjs/common';
import type { Asked } from './asked';
import { anyResource, explanation, histories, kindAnswer, kindParams, planned, subjectParams } from './kind.answers';
import { type KindDesk, KindDesks, isSole, mayTouchAll, subjectOf } from './kind.desk';
import { explain, plan } from './kind.explain';
import { history } from './kind.history';
import { pause, pauseKind, resume, retry } from './kind.steer';
import { Route } from './route';
import { listQuery } from './schemas';

const pages = listQuery([]);
type OfKind = Asked<{ params: typeof kindParams }>;
type OfOne = Asked<{ params: typeof subjectParams }>;

/** What every reconciled kind answers beside its own routes (spec 0, "Common to every reconciled kind"). */
@Controller()
export class KindsController {
  constructor(private readonly desks: KindDesks) {}

  // Whole kinds first: `kinds` is no kind, and the routes below would take it for one.
  @Route('POST /v1/kinds/{kind}/pause', {
    summary: 'Stop reconciling a whole kind',
    scope: 'admin',
    params: kindParams,
    answer: kindAnswer,
  })
  async pauseKind({ params }: OfKind) {
    return this.steered(params.kind, true);
  }

  @Route('POST /v1/kinds/{kind}/resume', {
    summary: 'Go on reconciling a whole kind',
    scope: 'admin',
    params: kindParams,
    answer: kindAnswer,
  })
  async resumeKind({ params }: OfKind) {
    return this.steered(params.kind, false);
  }

  @Route('GET /v1/{kind}/{id}/explain', {
    summary: 'Why it is as it is, and what comes next',
    scope: 'read',
    params: subjectParams,
    answer: explanation,
  })
  async explain({ caller, params }: OfOne) {
    const desk = this.desks.of(params.kind);
    if (isSole(desk)) mayTouchAll(desk, caller);
    return explain(desk, await subjectOf(desk, params.id, caller));
  }

  @Route('GET /v1/{kind}/{id}/history', {
    summary: 'Its changes of state, newest first',
    scope: 'read',
    params: subjectParams,
    query: pages,
    answer: histories,
  })
  async history({ caller, params, query }: Asked<{ params: typeof subjectParams; query: typeof pages }>) {
    const desk = this.desks.of(params.kind);
    if (isSole(desk)) mayTouchAll(desk, caller);
    return history(desk, params.id, caller, query);
  }

  @Route('GET /v1/{kind}/{id}/plan', {
    summary: 'What the next pass would do now, and why',
    scope: 'read',
    params: subjectParams,
    answer: planned,
  })
  async plan({ caller, params }: OfOne) {
    const desk = this.desks.of(params.kind);
    mayTouchAll(desk, caller);
    return plan(desk, await subjectOf(desk, params.id, caller));
  }

  @Route('POST /v1/{kind}/{id}/retry', {
    summary: 'Look now, and forget the backoff',
    scope: 'write',
    params: subjectParams,
    answer: anyResource,
  })
  async retry(asked: OfOne) {
    return this.steer(asked, retry);
  }

  @Route('POST /v1/{kind}/{id}/pause', {
    summary: 'Stop reconciling it',
    scope: 'write',
    params: subjectParams,
    answer: anyResource,
  })
  async pause(asked: OfOne) {
    return this.steer(asked, pause);
  }

  @Route('POST /v1/{kind}/{id}/resume', {
    summary: 'Go on reconciling it',
    scope: 'write',
    params: subjectParams,
    answer: anyResource,
  })
  async resume(asked: OfOne) {
    return this.steer(asked, resume);
  }

  private async steer({ caller, params }: OfOne, verb: (desk: KindDesk, id: string) => Promise<void>): Promise<object> {
    const desk = this.desks.of(params.kind);
    const { id } = await subjectOf(desk, params.id, caller);
    mayTouchAll(desk, caller);
    await verb(desk, id);
    return this.desks.show(desk, id, caller);
  }

  private async steered(kind: string, paused: boolean): Promise<object> {
    const at = await pauseKind(this.desks.of(kind), paused);
    return { kind, paused, paused_at: at };
  }
}
