import type { Scope } from '@homeostat/platform';

interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly const?: unknown;
}

interface Operation {
  readonly security: readonly { readonly bearer: readonly [Scope] }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

/** A route as the OpenAPI document has it. */
export interface Documented {
  readonly method: string;
  readonly path: string;
  /** One of these is enough. */
  readonly scopes: readonly Scope[];
  /** The least body that its schema accepts; undefined where it takes none. */
  readonly body: unknown;
}

/** Every route of the OpenAPI document of a process. */
export async function documentedAt(url: string): Promise<Documented[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Operation>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security, requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      scopes: security.map(({ bearer: [scope] }) => scope),
      body: requestBody && least(requestBody.content['application/json'].schema),
    })),
  );
}

function least(schema: Schema): unknown {
  const [first] = schema.anyOf ?? schema.oneOf ?? [];
  if (first) return least(first);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.format === 'uuid') return '01993f5e-0000-7000-8000-000000000000';
  if (schema.type === 'object') {
    return Object.fromEntries((schema.required ?? []).map((name) => [name, least(schema.properties![name]!)]));
  }
  if (schema.type === 'array') return [];
  return schema.type === 'integer' ? (schema.minimum ?? 1) : 'x';
}
