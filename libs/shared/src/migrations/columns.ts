/** The columns that every resource carries (spec 0, "How"). */
export const common = (states: string, first: string): string => `
    tenant_id text NOT NULL,
    status text NOT NULL DEFAULT '${first}' CHECK (status IN (${states})),
    reason text,
    message text,
    generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()`;

/** Counts the changes of a row in its generation. */
export const touched = (table: string): string => `
  CREATE TRIGGER ${table}_touch BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION touch();`;
