import { type ColumnSelection } from './connector.port';
import { type Leaf } from './data-type';

/** The leaves that a selection names: a column by its name or dotted path, with all that is inside it, or by `#<field id>`. */
export function selected(leaves: readonly Leaf[], columns: ColumnSelection): Leaf[] {
  if (columns === 'all') return [...leaves];
  const wanted = new Set(columns);
  return leaves.filter(
    ({ fieldId, path }) =>
      wanted.has(`#${fieldId}`) || path.some((_level, depth) => wanted.has(path.slice(0, depth + 1).join('.'))),
  );
}
