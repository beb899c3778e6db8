export { deployService } from './deploy.module';
