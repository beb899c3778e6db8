/** What a token may allow (spec 0, "Who may call"). */
export const scopes = ['read', 'write', 'build', 'peer', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who calls, for which tenant, and what is allowed. */
export interface Caller {
  readonly subject: string;
  /** What the caller makes belongs to this tenant. */
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Sees and changes the rows of every tenant. */
  readonly allTenants: boolean;
}

/** `admin` stands for read, write and build too, over all tenants. `write` does not imply `read`. */
export function callerOf(subject: string, tenant: string, granted: readonly string[]): Caller {
  const known = new Set(scopes.filter((scope) => granted.includes(scope)));
  const admin = known.has('admin');
  return {
    subject,
    tenant,
    scopes: admin ? new Set<Scope>([...known, 'read', 'write', 'build']) : known,
    allTenants: admin,
  };
}

/**
 * Who calls where no token is asked for: the only user of this machine. Their rows are made for tenant `default`;
 * they see every tenant's, because VMs and regions belong to tenant `system`.
 */
export const ownMachine: Caller = callerOf('local', 'default', scopes);

/** The tenant to scope a query by, null for all: `WHERE ($2::text IS NULL OR tenant_id = $2)`. */
export function tenantOf({ tenant, allTenants }: Caller): string | null {
  return allTenants ? null : tenant;
}
