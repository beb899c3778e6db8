// Docker's HEALTHCHECK: fails unless the service in this container is ready. (`fetch` would take half as long again to load.)
import { get } from 'node:http';

get(`http://127.0.0.1:${process.env.RECONCILER_HTTP_PORT}/readyz`, (response) => {
  response.pipe(process.stdout);
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
