export { vmPoolService } from './vm-pool.module';
