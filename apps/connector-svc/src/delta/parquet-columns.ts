import { type FileMetaData, parquetSchema, type SchemaTree } from 'hyparquet';

/** Whether a column, by its path in the file, is wanted. */
export type ColumnChoice = (path: readonly string[]) => boolean;

/** The footer as if the file had the chosen columns only. Decimals, dates and timestamps lose their annotation: raw values are exact. */
export function chosen(metadata: FileMetaData, choice: ColumnChoice): FileMetaData {
  const elements = elementsOf(parquetSchema(metadata), choice);
  const row_groups = metadata.row_groups.map((group) => ({
    ...group,
    columns: group.columns.filter(({ meta_data: meta }) => meta && choice(meta.path_in_schema)),
  }));
  return { ...metadata, schema: elements, row_groups };
}

function elementsOf(tree: SchemaTree, choice: ColumnChoice): SchemaTree['element'][] {
  if (tree.children.length === 0) return choice(tree.path) ? [rawElement(tree.element)] : [];
  const inner = tree.children.map((child) => elementsOf(child, choice)).filter((list) => list.length > 0);
  if (inner.length === 0 && tree.path.length > 0) return [];
  return [{ ...tree.element, num_children: inner.length }, ...inner.flat()];
}

function rawElement(element: SchemaTree['element']): SchemaTree['element'] {
  const text = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING';
  return text ? element : { ...element, converted_type: undefined, logical_type: undefined };
}
