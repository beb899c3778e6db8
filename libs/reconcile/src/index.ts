export * from './backoff';
export * from './decision';
export * from './errors';
export * from './loop';
export * from './notebook';
export * from './ports';
export * from './reconciler';
