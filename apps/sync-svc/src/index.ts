export { syncService } from './sync.module';
