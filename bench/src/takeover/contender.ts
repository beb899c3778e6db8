/** Work that never ends by itself, in a process of its own, by one queue and its settings. */
export interface Contender {
  readonly name: string;
  /** How it is set up, in its own words. */
  readonly settings: string;
  /** Its slowest beat: kills fall anywhere in it. */
  readonly beatMs: number;
  /** Too slow for more than one kill a run. */
  readonly slow: boolean;
  /** Takes up work until the process is killed; `begun` is told the id of each. Resolves to how work is added. */
  start(url: string, begun: (id: string) => void): Promise<() => Promise<string>>;
}

/** Never. */
export const endless = (): Promise<never> => new Promise<never>(() => {});
