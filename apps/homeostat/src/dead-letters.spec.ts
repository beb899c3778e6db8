import { dealWith, listDeadLetters } from './dead-letters';

const services = ['alpha-svc', 'beta-svc'];

it.each(['0', '501', 'many', '1.5', '-1', ''])(
  'refuses to list "%s" dead letters, and says how many can be',
  async (limit) => {
    const fault = `--limit ${limit}: write a whole number from 1 to 500, such as 50`;
    await expect(listDeadLetters(services, { limit })).rejects.toThrow(fault);
  },
);

it('refuses a service that there is not, and names those that there are', async () => {
  const fault = '--service gamma: there is no such service; choose one of alpha-svc, beta-svc';
  const service = 'gamma';
  await expect(listDeadLetters(services, { service })).rejects.toThrow(fault);
  await expect(dealWith('requeue', services, { service })).rejects.toThrow(fault);
  await expect(dealWith('drop', services, { service, id: 'one' })).rejects.toThrow(fault);
});
