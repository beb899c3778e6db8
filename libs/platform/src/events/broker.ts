import { readFile } from 'node:fs/promises';
import { type ChannelModel, connect } from 'amqplib';
import type { HouseSettings } from '../settings';

/** How RabbitMQ is reached: one node, or several of a cluster. */
export interface Broker {
  readonly urls: readonly string[];
  readonly caFile: string | null;
}

const CONNECT_MS = 5_000;
/** A peer that is silent for two or three of these is gone. */
const HEARTBEAT_S = 5;

/** The broker that the settings name, or null: events then stay in the process. */
export function brokerOf({
  RECONCILER_AMQP_URL: urls,
  RECONCILER_AMQP_CA_FILE: caFile,
}: Pick<HouseSettings, 'RECONCILER_AMQP_URL' | 'RECONCILER_AMQP_CA_FILE'>): Broker | null {
  return urls ? { urls, caFile: caFile ?? null } : null;
}

/**
 * Connects to one of the nodes, another one at each turn. `name` is what the broker's own lists show. Throws an error
 * that names the node but no credentials.
 */
export async function dial({ urls, caFile }: Broker, turn: number, name: string): Promise<ChannelModel> {
  const url = new URL(urls[turn % urls.length]!);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(HEARTBEAT_S));
  try {
    const ca = caFile === null ? {} : { ca: await readFile(caFile) };
    const clientProperties = { connection_name: name };
    // Without noDelay a confirmation takes 40 ms.
    const model = await connect(url.href, { noDelay: true, timeout: CONNECT_MS, clientProperties, ...ca });
    // Its close tells the same, and an error that nobody listens to would end the process.
    model.on('error', () => undefined);
    return model;
  } catch (error) {
    throw new Error(`${url.host}: ${(error as Error).message || (error as { code?: string }).code}`, { cause: error });
  }
}

/** Closes a connection, without waiting long for the other side's farewell. */
export async function hangUp(model: ChannelModel, withinMs = 500): Promise<void> {
  const { stream } = (model as unknown as { connection: { stream: { destroy(why: Error): void } } }).connection;
  const late = setTimeout(() => stream.destroy(new Error('no answer to the farewell')), withinMs);
  const gone = new Promise<void>((resolve) => model.once('close', () => resolve()));
  const cut = new Promise<void>((resolve) => setTimeout(resolve, withinMs + 10).unref());
  await Promise.race([model.close().catch(() => undefined), gone, cut]);
  clearTimeout(late);
}
