/** SQL: somebody will look at the resource without being asked again, or a person has paused it. */
export const attended = (kind, key) => `EXISTS (
  SELECT FROM reconcile_status s JOIN reconcile_kind k USING (kind)
  WHERE s.kind = '${kind}' AND s.key = ${key}
    AND (s.due_at IS NOT NULL OR s.lease_until > now() OR s.paused OR k.paused_at IS NOT NULL))`;
