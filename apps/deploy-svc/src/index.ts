export { finish as finishBuilds } from './build/build.writes';
export { deployService } from './deploy.module';
