import { defineService } from '@homeostat/platform';
import { DomainController } from './domain/domain.controller';
import { DomainReconciler } from './domain/domain.reconciler';
import { domainSettings } from './domain.config';

/** Domains, proven by DNS TXT records. */
export const domainService = defineService({
  name: 'domain-svc',
  role: 'homeostat_domain',
  port: 7081,
  settings: domainSettings,
  controllers: [DomainController],
  reconcilers: [DomainReconciler],
});
