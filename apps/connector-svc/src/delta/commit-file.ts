import { ConnectorFault } from '../connector/fault';
import { type CommitInfo, commitInfoOf, type Metadata, metadataOf, type Protocol, protocolOf } from './actions';
import { type ExactJson, integerJson, objectOf } from './exact-json';
import { linesOf } from './json-lines';

/** One action: its name and what it carries. */
export type Action = readonly [name: string, body: ExactJson];

/** What a commit changes beside files. */
export interface CommitHead {
  readonly info: CommitInfo;
  readonly protocol: Protocol | null;
  readonly metadata: Metadata | null;
}

/** The actions of a commit, or of a checkpoint in JSON, as the pieces of the file come. Throws ConnectorFault `corrupt`. */
export async function* actionsOf(uri: string, pieces: AsyncIterable<Buffer>): AsyncIterable<Action[]> {
  let before = 0;
  for await (const lines of linesOf(pieces)) {
    yield lines.flatMap((line, index) => actionsIn(line, `${uri} line ${before + index + 1}`));
    before += lines.length;
  }
  if (before === 0) throw new ConnectorFault('corrupt', `${uri}: empty`);
}

/** Reads a commit for its head; its file actions are only checked to be JSON. Throws ConnectorFault `corrupt`. */
export async function readHead(uri: string, pieces: AsyncIterable<Buffer>): Promise<CommitHead> {
  let [info, protocol, metadata]: [CommitInfo, Protocol | null, Metadata | null] = [commitInfoOf(null), null, null];
  for await (const actions of actionsOf(uri, pieces)) {
    for (const [name, body] of actions) {
      if (name === 'commitInfo') info = commitInfoOf(body);
      if (name === 'protocol') protocol = inFile(uri, () => protocolOf(body));
      if (name === 'metaData') metadata = inFile(uri, () => metadataOf(body));
    }
  }
  return { info, protocol, metadata };
}

/** What `read` returns; a fault of it names the file. */
export function inFile<T>(uri: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ConnectorFault) throw new ConnectorFault(cause.code, `${uri}: ${cause.message}`, { cause });
    throw cause;
  }
}

function actionsIn(line: string, where: string): Action[] {
  const action = objectOf(parsed(line, where));
  if (!action) throw new ConnectorFault('corrupt', `${where}: not an action`);
  return Object.entries(action);
}

function parsed(line: string, where: string): ExactJson {
  try {
    return integerJson(line);
  } catch (cause) {
    throw new ConnectorFault('corrupt', `${where}: not JSON`, { cause });
  }
}
