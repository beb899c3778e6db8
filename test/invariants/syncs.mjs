import { attended } from './attended.mjs';

/** What holds of syncs at any instant (spec 2, "Sync"). */
export const syncs = {
  'somebody attends to every open sync': `
    SELECT id, status FROM sync WHERE status IN ('PENDING', 'IN_PROGRESS', 'DELETE_PENDING') AND NOT ${attended('syncs', 'sync.id')}`,
  'a sync has counted its records right': `
    SELECT s.id, s.total, s.done, s.failed, r.* FROM sync s CROSS JOIN LATERAL (
      SELECT count(*) AS all, count(*) FILTER (WHERE state = 'done') AS came, count(*) FILTER (WHERE state = 'failed') AS lost
      FROM sync_record r WHERE r.sync_id = s.id) AS r
    WHERE (s.total, s.done, s.failed) IS DISTINCT FROM (r.all, r.came, r.lost)`,
  'a sync that is completed has every record': `
    SELECT id, total, done FROM sync WHERE status = 'COMPLETED' AND done <> total`,
};
