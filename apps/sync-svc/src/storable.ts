/** NUL, which PostgreSQL's texts do not hold, and half a surrogate pair, which its jsonb refuses. */
const unstorable = /[\0\p{Cs}]/gu;

/** A text as the database takes it: U+FFFD stands for what it would refuse. */
export function storable(text: string): string {
  return text.replace(unstorable, '\uFFFD');
}
