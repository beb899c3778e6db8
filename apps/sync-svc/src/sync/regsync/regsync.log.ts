/** What a line of regsync's log tells of a record. */
export type RegsyncNews =
  | { readonly tells: 'copying'; readonly cid: string }
  | { readonly tells: 'fault'; readonly cid: string | null; readonly message: string };

const LONGEST = 300;
const cidTag = /:(baearei[a-z2-7]{52})$/;

/**
 * Reads a line of its JSON log; the names of fields vary. Null for what is of no interest, and for anything that is not
 * JSON: there, a fault of the configuration is told with the lines around it, passwords and all.
 */
export function regsyncNews(line: string): RegsyncNews | null {
  const told = parsed(line);
  if (told === null) return null;
  const { level, msg, source, src, target, tgt, error, err } = told;
  const names = [target, tgt, source, src].map(String);
  const cid = names.flatMap((name) => cidTag.exec(name)?.[1] ?? [])[0] ?? null;
  if (level === 'ERROR') {
    const message = [msg, error ?? err].filter((one) => typeof one === 'string').join(': ');
    return { tells: 'fault', cid, message: message.slice(0, LONGEST) };
  }
  return cid !== null && (msg === 'Image sync needed' || msg === 'Image refreshing') ? { tells: 'copying', cid } : null;
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  // It may say a million lines of something else, each of which would be an exception.
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}
