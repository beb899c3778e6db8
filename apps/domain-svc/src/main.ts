import { main } from '@homeostat/platform';
import { domainService } from './domain.module';

void main([domainService]);
