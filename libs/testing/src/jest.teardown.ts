import { removeServer } from './jest.setup';

/** Ends the server of this Jest run and removes its data. */
export default async function teardown(): Promise<void> {
  await removeServer(process.pid);
}
