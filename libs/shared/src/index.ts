export * from './codes';
export * from './entities';
export * from './events';
export * from './kinds';
export * from './migrations';
