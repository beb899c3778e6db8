import { type SettingsError, readSettings } from '@homeostat/platform';
import { vmPoolSettings } from './vm-pool.config';

const faultsOf = (given: Record<string, string>): readonly string[] => {
  try {
    readSettings(vmPoolSettings, given);
    return [];
  } catch (error) {
    return (error as SettingsError).faults;
  }
};

test('the provider is simulated where nothing is said', () => {
  expect(readSettings(vmPoolSettings).RECONCILER_VM_PROVIDER).toBe('simulated');
});

// prettier-ignore
test.each([
  [{ RECONCILER_VM_PROVIDER: 'cloud' }, 'RECONCILER_VM_PROVIDER "cloud" is none of simulated, docker'],
  [{ RECONCILER_DOCKER_NETWORK: '../x' }, 'RECONCILER_DOCKER_NETWORK is no name of a Docker network: write it like homeostat'],
  [{ RECONCILER_DOCKER_IMAGE: '127.0.0.1:5000/pause' }, 'RECONCILER_DOCKER_IMAGE has neither tag nor digest: write it like registry.k8s.io/pause:3.10'],
])('%p is a fault', (given, fault) => {
  expect(faultsOf(given)).toEqual([fault]);
});

test.each(['pause:3', '127.0.0.1:5000/pause:3', 'pause@sha256:0a1b'])('an empty machine may run %p', (image) => {
  expect(faultsOf({ RECONCILER_DOCKER_IMAGE: image })).toEqual([]);
});
