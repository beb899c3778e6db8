// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers of every shape
export type Ask = (what: string, body?: object) => Promise<any>;
export type Sql = (text: string, values?: unknown[]) => Promise<object[]>;

export const SNAPSHOT: string;
export function settle(ask: Ask, sql: Sql): Promise<Record<string, string>>;
