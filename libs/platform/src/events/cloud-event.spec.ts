import { received } from './cloud-event';

const id = '01890a5d-ac96-774b-bcce-b302099a8057';
const event = {
  specversion: '1.0',
  id,
  source: '/homeostat/test',
  type: 'vm.deleted',
  subject: id,
  time: '2026-11-21T10:00:00.000Z',
  datacontenttype: 'application/json',
  tenantid: 'default',
  version: '1',
  data: { vm_id: id },
};
const read = (body: unknown) => received(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

it('reads an event as it was written, with attributes that it does not know', () => {
  const extended = { ...event, traceparent: '00-0-0-00', newattribute: 'x', data: { vm_id: id, new_member: 1 } };
  expect(read(extended)).toEqual({ is: 'event', event: extended });
});

it('tells a type of another version from a message that is broken', () => {
  expect(read({ ...event, type: 'vm.painted' })).toEqual({ is: 'unknown', type: 'vm.painted' });
  expect(read({ ...event, type: 'constructor' })).toEqual({ is: 'unknown', type: 'constructor' });
});

it.each([
  ['it is not JSON', '{'],
  ['it is not JSON', ''],
  ['it is no CloudEvent: it: ', 'null'],
  ['it is no CloudEvent: it: ', [event]],
  ['it is no CloudEvent: specversion: ', { ...event, specversion: '0.3' }],
  ['it is no CloudEvent: id: ', { ...event, id: '' }],
  ['it is no CloudEvent: time: ', { ...event, time: 'yesterday' }],
  ['its data are none of vm.deleted: it: ', { ...event, data: undefined }],
  ['its data are none of vm.deleted: vm_id: ', { ...event, data: { vm_id: 7 } }],
])('says %s', (why, body) => {
  expect(read(body)).toMatchObject({ is: 'malformed', why: expect.stringContaining(why) });
});
