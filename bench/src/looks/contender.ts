/** So many connections each contender may have, and so many jobs at once where it takes them one by one. */
export const CONNECTIONS = 10;
/** What one claim takes where a contender takes several. */
export const BATCH = 500;

/** A queue on PostgreSQL, with work that does nothing: what is measured is the claim, and the record of the outcome. */
export interface Contender {
  readonly name: string;
  /** How it is set up for speed, in its own words. */
  readonly settings: string;
  /** Makes tables where it needs some; the queue stands still. */
  open(url: string): Promise<Opened>;
}

export interface Opened {
  /** Puts `count` jobs into the queue, by the fastest way that it has. */
  fill(count: number): Promise<void>;
  /** Sets the queue going, again and again; `done` is told of each job, with its id where `add` gave one. */
  start(done: (id: string | null) => void): Promise<void>;
  /** Puts one job into the queue that is going; resolves to its id. */
  add(): Promise<string>;
  /** The queue stands still again; its connections stay open. */
  stop(): Promise<void>;
  /** Of one that stands still. */
  close(): Promise<void>;
}
