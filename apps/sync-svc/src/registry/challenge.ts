/** What a registry asks for with a 401 (RFC 9110, section 11.6.1; the distribution project's token specification). */
export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer';
      readonly realm: string;
      readonly service: string | null;
      readonly scope: string | null;
    };

const bearer = /\bbearer\s+(?=\w+=)/i;
const parameter = /(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;

/** The first challenge of a WWW-Authenticate header that we can answer; a token rather than a password. Null: there is none. */
export function parseChallenge(header: string): Challenge | null {
  const found = bearer.exec(header);
  if (found) {
    const given = parametersOf(header.slice(found.index + found[0].length));
    const realm = given.get('realm');
    if (realm) {
      return { scheme: 'bearer', realm, service: given.get('service') ?? null, scope: given.get('scope') ?? null };
    }
  }
  return /\bbasic\b/i.test(header) ? { scheme: 'basic' } : null;
}

function parametersOf(text: string): Map<string, string> {
  const pairs = [...text.slice(0, 4_096).matchAll(parameter)].map(([, name, quoted, plain]): [string, string] => [
    name!.toLowerCase(),
    quoted?.replace(/\\(.)/g, '$1') ?? plain!,
  ]);
  return new Map(pairs);
}
