import type { House } from '../house/house';

/** A job that came to its end, as the API shows it. */
export interface Ended {
  readonly tables_total: number;
  readonly stats_processed: string;
  /** From its start to its end, by the database's clock. */
  readonly ms: number;
}

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly message: string | null;
  readonly started_at: string;
  readonly finished_at: string;
}

/** Makes a connector; returns its id. */
export async function connect({ url }: House, connector: object): Promise<string> {
  return (await ask<Shown>(`${url}/v1/connectors`, connector)).id;
}

/** Has a connector's source read by a job. Throws where that fails. */
export async function reconciled({ url }: House, connector: string): Promise<Ended> {
  const { id } = await ask<Shown>(`${url}/v1/connectors/${connector}/trigger`, {});
  for (;;) {
    const job = await ask<Shown & Ended>(`${url}/v1/reconcile-jobs/${id}?wait=JS_SUCCEEDED&timeout=60s`);
    if (job.state === 'JS_SUCCEEDED') return { ...job, ms: Date.parse(job.finished_at) - Date.parse(job.started_at) };
    if (job.state !== 'JS_RUNNING' && job.state !== 'JS_QUEUED') throw new Error(`${job.state}: ${job.message}`);
  }
}

/** Requests to sources so far, as the process counts them. */
export async function sourceRequests({ url }: House): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  const counts = lines.filter((line) => line.startsWith('homeostat_source_requests_total'));
  return counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function ask<Answer>(url: string, body?: object): Promise<Answer> {
  const init = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(url, init);
  const shown = (await answer.json()) as Answer;
  if (!answer.ok) throw new Error(`${url}: ${JSON.stringify(shown)}`);
  return shown;
}
