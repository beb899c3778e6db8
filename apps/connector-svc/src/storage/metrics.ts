import { Counter } from '@homeostat/platform';

/** Requests to sources, answered or not, repeated ones too. */
export const sourceRequests = new Counter({
  name: 'homeostat_source_requests_total',
  help: 'Requests to the sources of connectors: to catalogs (REST, Unity), Glue and S3',
  labelNames: ['to'],
});

/** What came of bodies, also where it was cut short. */
export const sourceBytes = new Counter({
  name: 'homeostat_source_read_bytes_total',
  help: 'Bytes read from the sources of connectors: catalogs, S3 and files',
  labelNames: ['from'],
});
