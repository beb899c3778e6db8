import { afterCursor, cursorOf } from './cursor';

const id = '01993f5e-0000-7000-8000-000000000001';

it('leads back to where a list was left', () => {
  expect(afterCursor({ from: 'vm', filters: [] }, cursorOf({ filters: [], from: 'vm' }, id))).toBe(id);
  expect(afterCursor({ from: 'vm' }, undefined)).toBeNull();
});

it.each([
  ['of another list', cursorOf({ from: 'domain' }, id)],
  ['that was cut off', cursorOf({ from: 'vm' }, id).slice(0, 9)],
  ['that was changed', cursorOf({ from: 'vm' }, id).replace(/.$/, '!')],
  ['that leads nowhere', cursorOf({ from: 'vm' }, '')],
  ['with more in it than a key', cursorOf({ from: 'vm' }, `${id}'; --`)],
  ['that is empty', ''],
])('refuses a cursor %s', (_what, cursor) => {
  expect(() => afterCursor({ from: 'vm' }, cursor)).toThrow('?cursor is no cursor of this list');
});
