import { main } from '@homeostat/platform';
import { syncService } from './sync.module';

void main([syncService]);
