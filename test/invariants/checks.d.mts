export interface Check {
  readonly name: string;
  readonly sql: string;
  readonly needsRest: boolean;
}

export interface Violation {
  readonly name: string;
  readonly rows: readonly object[];
}

export declare const checks: readonly Check[];

export declare function violations(
  query: (sql: string) => Promise<readonly object[]>,
  options: { readonly atRest: boolean },
): Promise<Violation[]>;

export declare function told(violated: readonly Violation[]): string;
