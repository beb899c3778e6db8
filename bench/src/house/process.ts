import { serve } from '@homeostat/platform';
import { services } from '@homeostat/homeostat';
import { Hands } from './hands.events';
import { type Usage, obey } from './orders';

/** The process that is measured: all services in one or one of them, and with deploy-svc a builder that is never late. */
const peopled = services.map((service) =>
  service.name === 'deploy-svc' ? { ...service, controllers: [...service.controllers, Hands] } : service,
);

const MB = 2 ** 20;

function usage(): Usage {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    cpuMs: (userCPUTime + systemCPUTime) / 1_000,
    rssMb: process.memoryUsage.rss() / MB,
    peakRssMb: maxRSS / 1_024,
  };
}

/** `only`: the service that is served; undefined: all of them. */
export interface Serve {
  readonly settings: Readonly<Record<string, string>>;
  readonly only?: string;
}

obey('serve', async ({ settings, only }: Serve) => {
  const wanted = peopled.filter(({ name }) => only === undefined || name === only);
  const running = await serve(wanted, settings);
  process.once('disconnect', () => void running.stop().then(() => process.exit()));
  return running.url;
});
obey('usage', usage);
