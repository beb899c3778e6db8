import type { Need } from './needs';

/** One line of the report: what is measured, in what unit, and what it is held against. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** At most this much is wanted. */
  readonly bar?: number;
  /** At least this much is wanted. */
  readonly atLeast?: number;
  /** What the original, a Go service, needed for the same on two cores. */
  readonly original?: number;
}

/** What a run is told. */
export interface Settings {
  /** Deployments, or settled resources. */
  readonly count: number;
  /** Nobody reads the figures: it only matters that the benchmark still runs. */
  readonly smoke: boolean;
  /** Settings of the services beside those that the benchmark makes. */
  readonly set: Readonly<Record<string, string>>;
  /** A folder for CPU profiles of the process; undefined: none are wanted. */
  readonly profileDir: string | undefined;
  /** Told how far it is. */
  readonly progress: (line: string) => void;
  /** Told what is worth keeping on the screen. */
  readonly say: (line: string) => void;
  /** Told the points of a line, for the report's plots. */
  readonly plot: (line: string, x: number, y: number) => void;
}

/** Figures by name, from one run. */
export type Measured = Readonly<Record<string, number>>;

/** What the sizes of one benchmark say about each other. */
export interface Across {
  readonly figures: readonly Figure[];
  /** From one round of all sizes. */
  measure(bySize: ReadonlyMap<number, Measured>): Measured;
}

export interface Benchmark {
  readonly name: string;
  readonly about: string;
  /** What `count` is when it is not given. */
  readonly count: number;
  /** What `count` is where it only matters that the benchmark still runs. */
  readonly smoke: number;
  /** Runs when none are asked for: five, unless one says as much. */
  readonly runs?: number;
  /** Taken in turns when no count is given, instead of `count`. */
  readonly sizes?: readonly number[];
  readonly across?: Across;
  readonly settings: Readonly<Record<string, string>>;
  /** Beside Node. */
  readonly needs?: readonly Need[];
  figures(count: number): readonly Figure[];
  run(settings: Settings): Promise<Measured>;
}
