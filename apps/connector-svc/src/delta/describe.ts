import { type TableDescription, type TableName } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { type Protocol } from './actions';
import { type CommitHead } from './commit-file';
import { type DeltaLog, isBroken, type LogState } from './delta-log';
import { type Described } from './delta.table';
import { deltaSchema } from './delta-schema';
import { timeOf } from './versions';

/**
 * Describes a table by its newest version that can be read. Throws the fault of the newest version when none can, and always when a
 * feature of it is unknown: then no older one is shown as if it were the table.
 */
export async function describeTable(name: TableName, log: DeltaLog, signal?: AbortSignal): Promise<Described> {
  const { version, state, head, fault } = await newestReadable(log, signal);
  const { metadata, protocol } = state;
  const { schema, spec } = deltaSchema(metadata);
  const { committedAtMs } = timeOf(log, version, head);
  const description: TableDescription = {
    ...{ name, format: 'delta', formatVersion: protocol.minReaderVersion, uuid: metadata.id, location: log.root },
    ...{ metadataLocation: null, lastUpdatedMs: committedAtMs, currentSnapshotId: version, refs: [] },
    ...{ schemas: [schema], currentSchemaId: schema.id, partitionSpecs: [spec], defaultSpecId: spec.id },
    properties: { ...metadata.configuration, ...protocolProperties(protocol) },
  };
  return { description, versions: log.versions.filter((one) => one <= version), fault };
}

interface Readable {
  readonly version: bigint;
  readonly state: LogState;
  readonly head: CommitHead;
  readonly fault: ConnectorFault | null;
}

async function newestReadable(log: DeltaLog, signal?: AbortSignal): Promise<Readable> {
  let fault: ConnectorFault | null = null;
  const candidates = [...log.versions].reverse();
  if (candidates[0] !== log.newest) fault = await faultOf(log, log.newest, signal);
  for (const version of candidates) {
    try {
      const state = await log.stateAt(version, signal);
      return { version, state, head: await log.head(version, signal), fault };
    } catch (error) {
      if (!isBroken(error) || error.code === 'unsupported') throw error;
      fault ??= error;
    }
  }
  throw fault ?? new ConnectorFault('corrupt', `${log.root}: no version can be rebuilt`);
}

/** Why the newest version of a log is none of those that can be read. */
async function faultOf(log: DeltaLog, version: bigint, signal?: AbortSignal): Promise<ConnectorFault> {
  try {
    await log.stateAt(version, signal);
    return new ConnectorFault('corrupt', `${log.root}: commit ${version} is missing`);
  } catch (error) {
    if (!isBroken(error) || error.code === 'unsupported') throw error;
    return error;
  }
}

/** The protocol under the names that `SHOW TBLPROPERTIES` has for it. */
function protocolProperties({
  minReaderVersion,
  minWriterVersion,
  readerFeatures,
  writerFeatures,
}: Protocol): Record<string, string> {
  const features = new Set([...(readerFeatures ?? []), ...(writerFeatures ?? [])]);
  return {
    'delta.minReaderVersion': String(minReaderVersion),
    'delta.minWriterVersion': String(minWriterVersion),
    ...Object.fromEntries([...features].sort().map((feature) => [`delta.feature.${feature}`, 'supported'])),
  };
}
