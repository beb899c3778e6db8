import { Logger, type Runner, type TaskList, makeWorkerUtils, run } from 'graphile-worker';
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
  const pgPool = new Pool({ connectionString: url, max: CONNECTIONS, idleTimeoutMillis: 0 });
  // It wants to see a listener, here and on each connection.
  pgPool.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined));
  const where = { pgPool, logger: quiet };
  const utils = await makeWorkerUtils(where);
  await utils.migrate();
  let runner: Runner | null = null;
  return {
    async fill(count) {
      await utils.withPgClient((client) =>
        client.query(
          `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY (
             SELECT ($1::text, '{}'::json, NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec FROM generate_series(1, $2::integer)))`,
          [TASK, count],
        ),
      );
    },
    async start(done) {
      const taskList: TaskList = { [TASK]: (_payload, { job }) => done(job.id) };
      runner = await run({ ...where, noHandleSignals: true, taskList, preset: { worker } });
    },
    async add() {
      const { id } = await utils.addJob(TASK, {});
      return id;
    },
    stop: async () => runner?.stop(),
    async close() {
      await utils.release();
      await pgPool.end();
    },
  };
}
