export { connectorService } from './connector.module';
