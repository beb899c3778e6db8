import { ConnectorFault } from '../connector/fault';
import { type Protocol } from './actions';

/** Features of which reading the log is all that is read, or that this reader knows (protocol, "Valid Feature Names in Table Features"). */
const knownFeatures = new Set([
  'columnMapping',
  'deletionVectors',
  'timestampNtz',
  'typeWidening',
  'typeWidening-preview',
  'v2Checkpoint',
  'vacuumProtocolCheck',
  'variantType',
  'variantType-preview',
  'variantShredding-preview',
]);

const greatestReaderVersion = 3;

/** Throws ConnectorFault `unsupported`, which names the reader version or the features, unless a table with that protocol can be read. */
export function assertReadable({ minReaderVersion, readerFeatures }: Protocol, table: string): void {
  if (minReaderVersion > greatestReaderVersion) {
    throw new ConnectorFault(
      'unsupported',
      `${table}: reader version ${minReaderVersion}; this reader knows ${greatestReaderVersion}`,
    );
  }
  const unknown = (readerFeatures ?? []).filter((feature) => !knownFeatures.has(feature));
  if (unknown.length > 0) {
    throw new ConnectorFault(
      'unsupported',
      `${table}: needs the reader feature ${unknown.join(', ')}, which this reader does not know`,
    );
  }
}
