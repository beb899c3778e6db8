import { type ObjectStore } from '../storage/storage.port';
import { type Roots } from './file-path';

/** Where a catalog says a table is. */
export interface TablePlace {
  /** The table's folder first, without a slash at the end. */
  readonly roots: Roots;
  /** Reaches those folders and no others. */
  readonly store: ObjectStore;
}
