import { Logger, type Runner, run, runMigrations } from 'graphile-worker';
import { Pool } from 'pg';
import { BATCH, CONNECTIONS, type Contender, type Opened } from './contender';

const TASK = 'nothing';
const quiet = new Logger(() => () => {});

export const oneByOne: Contender = {
  name: 'graphile-worker, plain',
  settings: `concurrentJobs ${CONNECTIONS}`,
  open: (url) => opened(url, { concurrentJobs: CONNECTIONS }),
};

/** By its performance guide: a local queue, and completions gathered. */
export const batched: Contender = {
  name: 'graphile-worker, batched',
  settings: `concurrentJobs ${CONNECTIONS}, localQueue ${BATCH}, completeJobBatchDelay 0`,
  open: (url) =>
    opened(url, {
      concurrentJobs: CONNECTIONS,
      localQueue: { size: BATCH },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    }),
};

async function opened(url: string, worker: GraphileConfig.WorkerOptions): Promise<Opened> {
  const pool = new Pool({ connectionString: url, max: CONNECTIONS });
  pool.on('error', () => {});
  let runner: Runner | null = null;
  const begin = (done: (id: string | null) => void): Promise<Runner> =>
    run({
      pgPool: pool,
      noHandleSignals: true,
      logger: quiet,
      taskList: { [TASK]: (_payload, { job }) => done(job.id) },
      preset: { worker },
    });
  await runMigrations({ pgPool: pool, logger: quiet });
  return {
    async fill(count) {
      await pool.query(
        `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY (
           SELECT ($1::text, '{}'::json, NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec FROM generate_series(1, $2::integer)))`,
        [TASK, count],
      );
    },
    async start(done) {
      runner = await begin(done);
    },
    async add() {
      const { id } = await runner!.addJob(TASK, {});
      return id;
    },
    async close() {
      await runner?.stop();
      await pool.end();
    },
  };
}
