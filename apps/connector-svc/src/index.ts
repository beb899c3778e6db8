export { connectorService } from './connector.module';
export { IcebergConnectorFactory } from './iceberg/iceberg.connector';
