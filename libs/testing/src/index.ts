export * from './dns-server';
export * from './database';
