import type { ConsumeMessage } from 'amqplib';
import { Acknowledgements } from './acknowledgements';

const message = (deliveryTag: number): ConsumeMessage => ({ fields: { deliveryTag } }) as ConsumeMessage;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a broker hears, and all that it takes to be acknowledged then. */
function heard(tags: readonly number[]) {
  const told: (readonly [number, boolean | undefined])[] = [];
  const unsettled = new Set(tags);
  const ack = ({ fields }: ConsumeMessage, upTo?: boolean): void => {
    told.push([fields.deliveryTag, upTo]);
    for (const tag of tags) if (tag === fields.deliveryTag || (upTo && tag < fields.deliveryTag)) unsettled.delete(tag);
  };
  const acks = new Acknowledgements({ ack }, (error) => {
    throw error;
  });
  for (const tag of tags) acks.opened(message(tag));
  return { acks, told, unsettled };
}

test('what was done in one turn is told in one word', async () => {
  const { acks, told, unsettled } = heard([1, 2, 3, 4]);
  for (const tag of [3, 1, 2]) acks.acknowledge(message(tag));
  expect(told).toEqual([]);
  await turn();
  expect(told).toEqual([[3, true]]);
  expect([...unsettled]).toEqual([4]);
});

test('what is not done yet is never told along with what came after it', async () => {
  const { acks, told, unsettled } = heard([1, 2, 3, 4, 5]);
  for (const tag of [1, 3, 5]) acks.acknowledge(message(tag));
  await turn();
  expect([...unsettled]).toEqual([2, 4]);
  acks.acknowledge(message(4));
  await turn();
  expect([...unsettled]).toEqual([2]);
  acks.acknowledge(message(2));
  await turn();
  expect([...unsettled]).toEqual([]);
  expect(told).toHaveLength(5);
});

test('what was rejected or given back ends no run, and is not told again', async () => {
  const { acks, told } = heard([1, 2, 3]);
  acks.settled(message(2));
  for (const tag of [1, 3]) acks.acknowledge(message(tag));
  await turn();
  expect(told).toEqual([[3, true]]);
});

test('what is left is told at once when asked for, and once only', async () => {
  const { acks, told } = heard([1, 2]);
  acks.acknowledge(message(1));
  acks.flush();
  expect(told).toEqual([[1, true]]);
  await turn();
  expect(told).toHaveLength(1);
});

test('a channel that is gone is no error of whoever was done', async () => {
  const lost = jest.fn();
  const acks = new Acknowledgements(
    {
      ack: () => {
        throw new Error('Channel closed');
      },
    },
    lost,
  );
  acks.opened(message(1));
  acks.acknowledge(message(1));
  await turn();
  expect(lost).toHaveBeenCalledWith(new Error('Channel closed'));
});
