export { services, up } from './up';
