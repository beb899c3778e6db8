import { houseSettings, readSettings } from '../settings';
import { brokerOf } from './broker';

const { RECONCILER_AMQP_URL, RECONCILER_AMQP_CA_FILE } = houseSettings;
const brokerAt = (url: string) =>
  brokerOf(readSettings({ RECONCILER_AMQP_URL, RECONCILER_AMQP_CA_FILE }, { RECONCILER_AMQP_URL: url }));

it('takes one node, or those of a cluster', () => {
  expect(brokerAt('amqp://a')!.urls).toEqual(['amqp://a']);
  expect(brokerAt('amqps://u:p@a:5671/house, amqps://u:p@b/house')!.urls).toEqual([
    'amqps://u:p@a:5671/house',
    'amqps://u:p@b/house',
  ]);
});

it('is none without a URL', () => {
  expect(brokerOf({})).toBeNull();
});

it.each(['http://u:secret@a', 'amqp://', 'amqp://u:secret@a,', 'amqp://u:secret@a:port', 'secret'])(
  'refuses %s without repeating it',
  (url) => {
    expect(() => brokerAt(url)).toThrow(/RECONCILER_AMQP_URL is no AMQP URL/);
    expect(() => brokerAt(url)).not.toThrow(/secret/);
  },
);
