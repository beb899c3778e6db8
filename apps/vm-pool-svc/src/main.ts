import { main } from '@homeostat/platform';
import { vmPoolService } from './vm-pool.module';

void main([vmPoolService]);
