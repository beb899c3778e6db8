import { defineService } from '@homeostat/platform';
import { DomainController } from './domain/domain.controller';
import { DomainReconciler } from './domain/domain.reconciler';
import { domainSettings } from './domain.config';
import { NameController } from './name/name.controller';
import { NameEvents } from './name/name.events';
import { NameReconciler } from './name/name.reconciler';

/** Domains, proven by DNS TXT records; names of records, proven by the keys of their domains. */
export const domainService = defineService({
  name: 'domain-svc',
  role: 'homeostat_domain',
  port: 7081,
  settings: domainSettings,
  controllers: [DomainController, NameController, NameEvents],
  reconcilers: [DomainReconciler, NameReconciler],
});
