/** What the benchmark asks of the process that it measures, and what comes back. */
interface Order {
  readonly id: number;
  readonly order: string;
  readonly input: unknown;
}

/** The answer to the order of that id; or why there is none. */
export interface Answer {
  readonly id: number;
  readonly output?: unknown;
  readonly error?: string;
}

/** CPU time since the process began, and memory. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
}

/** Carries out orders of one name, in the measured process. */
export function obey<Input>(name: string, work: (input: Input) => unknown): void {
  process.on('message', ({ id, order, input }: Order) => {
    if (order !== name) return;
    const send = (answer: Omit<Answer, 'id'>): void => void process.send!({ id, ...answer });
    void Promise.resolve(input as Input)
      .then(work)
      .then((output) => send({ output }))
      .catch((error: unknown) => send({ error: String((error as Error).stack) }));
  });
}

/** Milliseconds by a clock that all processes of this machine share; only differences mean something. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
