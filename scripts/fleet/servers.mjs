import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const embedded = '../../libs/platform/dist/embedded';

/**
 * Starts PostgreSQL and RabbitMQ on the folder, each unless the environment names one. Resolves to the settings that lead
 * services there, and how to stop what was started.
 */
export async function openServers(folder, say) {
  const database = await databaseOf(folder, say);
  const broker = await brokerOf(folder, say).catch(async (error) => {
    await database.stop();
    throw error;
  });
  const settings = {
    RECONCILER_DATABASE_URL: database.url,
    ...(broker.url ? { RECONCILER_AMQP_URL: broker.url } : {}),
  };
  return { settings, close: () => Promise.all([database.stop(), broker.stop()]) };
}

async function databaseOf(folder, say) {
  const given = process.env.RECONCILER_DATABASE_URL;
  if (given) return elsewhere(given);
  const { startPostgres } = require(`${embedded}/postgres.js`);
  return startPostgres({ dataDir: join(folder, 'postgres'), log: say });
}

async function brokerOf(folder, say) {
  const given = process.env.RECONCILER_AMQP_URL;
  if (given) return elsewhere(given);
  const { findRabbitmq } = require(`${embedded}/rabbitmq.programs.js`);
  const { startRabbitmq } = require(`${embedded}/rabbitmq.js`);
  try {
    await findRabbitmq();
  } catch (error) {
    say(`${error.message}. Until then services hear nothing of each other, and find changes by looking`);
    return elsewhere(null);
  }
  return startRabbitmq({ dataDir: join(folder, 'rabbitmq'), log: say });
}

const elsewhere = (url) => ({ url, stop: async () => undefined });
