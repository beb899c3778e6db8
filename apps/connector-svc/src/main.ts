import { main } from '@homeostat/platform';
import { connectorService } from './connector.module';

void main([connectorService]);
