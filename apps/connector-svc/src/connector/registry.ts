import type { ConnectorSettings } from '../connector.config';
import { DeltaConnectorFactory } from '../delta/delta.connector';
import { IcebergConnectorFactory } from '../iceberg/iceberg.connector';
import type { ConnectorFactory } from './connector.port';

/** Token of the factories, for those who open connectors. */
export const FACTORIES = Symbol('connector factories');

/** Every kind of connector that there is: a new one is one line here. */
export function connectorFactories(settings: ConnectorSettings): readonly ConnectorFactory[] {
  const surroundings = {
    fileRoots: settings.RECONCILER_FILE_ROOTS,
    allowPrivate: settings.RECONCILER_ALLOW_PRIVATE_ADDRESSES,
  };
  return [new IcebergConnectorFactory(surroundings), new DeltaConnectorFactory(surroundings)];
}
