import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelModel } from 'amqplib';
import type { Log } from '../logs';
import { type Broker, dial, hangUp } from './broker';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

/**
 * A connection that is made anew whenever it is lost, to the next node of a cluster. Not amqplib's own recovery: that
 * knows one node only, listens to no errors while a connection is being set up, and waits for ever for the farewell of
 * a peer that is gone (decision 11).
 */
export class Link {
  private model: ChannelModel | null = null;
  private readonly ending = new AbortController();
  private why: string | null = 'the first connection is not made yet';

  constructor(
    private readonly broker: Broker,
    private readonly name: string,
    /** Called with each new connection; it must not throw. */
    private readonly connected: (model: ChannelModel) => void,
    private readonly log: Log,
  ) {}

  /** Why there is no connection, or null while there is one. */
  get fault(): string | null {
    return this.why;
  }

  start(): void {
    void this.run();
  }

  /** Ends for good; an attempt to connect that is under way ends by itself. */
  async close(): Promise<void> {
    this.ending.abort();
    if (this.model) await hangUp(this.model);
  }

  private async run(): Promise<void> {
    const { signal } = this.ending;
    let failures = 0;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const since = performance.now();
      const why = await this.once(turn);
      if (signal.aborted) return;
      if (this.why === null || failures === 0) this.log.warn(`the broker is away (${this.name}): ${why}`);
      this.why = `the broker is away: ${why}`;
      failures = performance.now() - since > LAST_RETRY_MS * 2 ? 0 : failures + 1;
      const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures) * (0.5 + Math.random() / 2);
      await pause(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Makes one connection and waits for its end; returns what ended it. */
  private async once(turn: number): Promise<string> {
    try {
      const model = await dial(this.broker, turn, this.name);
      const closed = new Promise<string>((resolve) => {
        model.once('close', (error?: Error) => resolve(error?.message ?? 'the connection was closed'));
      });
      if (this.ending.signal.aborted) {
        await hangUp(model);
        return 'this process is ending';
      }
      if (this.why !== null) this.log.info(`the broker is there (${this.name})`);
      [this.model, this.why] = [model, null];
      this.connected(model);
      return await closed;
    } catch (error) {
      return (error as Error).message;
    } finally {
      this.model = null;
    }
  }
}
