export { domainService } from './domain.module';
