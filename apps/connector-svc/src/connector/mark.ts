import { deserialize, serialize } from 'node:v8';

/** A mark is of no use any more: what it is about has changed, or another version of the software made it. The reading begins anew. */
export class StaleMark extends Error {
  override readonly name = 'StaleMark';
}

/** Increased whenever what marks hold changes its form. */
const FORM = 1;

interface Marked<State> {
  readonly form: number;
  readonly of: string;
  readonly state: State;
}

/** Packs where a reading stopped, and what it came to so far: plain data, with bigint, Map and Buffer. `of` is what it reads. */
export function markOf(of: string, state: object): Buffer {
  return serialize({ form: FORM, of, state });
}

/** Unpacks a mark. Throws StaleMark where it is of something else, or in another form. */
export function stateOf<State>(mark: Buffer, of: string): State {
  const marked = deserialize(mark) as Marked<State>;
  if (marked.form !== FORM || marked.of !== of)
    throw new StaleMark(`the mark is of ${marked.of}, in form ${marked.form}`);
  return marked.state;
}
