export { cidOf } from './registry/cid';
export { syncService } from './sync.module';
