import { HouseError } from '@homeostat/shared';

/** The problem of a body that names something which does not exist, or not for this caller. */
export function unknownReference(field: string, id: string): HouseError {
  const what = field.replace(/_id$/, '').replaceAll('_', ' ');
  const message = `there is no ${what} ${id}`;
  return new HouseError('unprocessable', `/${field}: ${message}`, { errors: [{ pointer: `/${field}`, message }] });
}
