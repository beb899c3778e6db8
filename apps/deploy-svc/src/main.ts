import { main } from '@homeostat/platform';
import { deployService } from './deploy.module';

void main([deployService]);
