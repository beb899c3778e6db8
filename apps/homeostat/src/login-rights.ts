import type { Database } from '@homeostat/platform';
import type { ServiceRole } from '@homeostat/shared';

/** Who may take which role. */
export interface Login {
  readonly name: string;
  readonly role: ServiceRole;
}

interface Rights {
  readonly attributes: readonly string[];
  /** Other roles than its own. */
  readonly roles: readonly string[];
  /** It may give its role to others. */
  readonly grants: boolean;
  /** What it owns or was granted by name, in all databases. */
  readonly objects: number;
}

/**
 * Throws an error with the statements that mend it where logins exist that may do more than take their role. They are
 * not simply run: who has such a login may have it for a reason.
 */
export async function refuseSurplus(database: Database, logins: readonly Login[]): Promise<void> {
  const faults: string[] = [];
  for (const login of logins) {
    const rights = await rightsOf(database, login);
    const mend = rights ? mendsOf(login, rights) : [];
    if (mend.length > 0) faults.push(`${login.name} may do more than take ${login.role}:`, ...mend);
  }
  if (faults.length > 0)
    throw new Error(
      `There are logins with too many rights. Take these away, then run this again:\n${faults.join('\n')}`,
    );
}

async function rightsOf(database: Database, { name, role }: Login): Promise<Rights | undefined> {
  const [rights] = await database.query<Rights>(
    `SELECT array_remove(ARRAY[
         CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
         CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS attributes,
       ARRAY(SELECT roleid::regrole::text FROM pg_auth_members
         WHERE member = r.oid AND roleid IS DISTINCT FROM to_regrole($2) ORDER BY 1) AS roles,
       EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid AND roleid = to_regrole($2) AND admin_option) AS grants,
       (SELECT count(*)::integer FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid
         AND classid <> 'pg_auth_members'::regclass) AS objects
     FROM pg_roles r WHERE rolname = $1`,
    [name, role],
  );
  return rights;
}

function mendsOf({ name, role }: Login, { attributes, roles, grants, objects }: Rights): string[] {
  const mends = roles.map((other) => `REVOKE ${other} FROM "${name}";`);
  if (grants) mends.push(`REVOKE ADMIN OPTION FOR ${role} FROM "${name}";`);
  if (attributes.length > 0) mends.push(`ALTER ROLE "${name}" ${attributes.map((one) => `NO${one}`).join(' ')};`);
  if (objects > 0) {
    mends.push(`-- In each database with one of the ${objects} objects that it owns or was granted:`);
    mends.push(`REASSIGN OWNED BY "${name}" TO CURRENT_USER; DROP OWNED BY "${name}";`);
  }
  return mends.map((mend) => `  ${mend}`);
}
