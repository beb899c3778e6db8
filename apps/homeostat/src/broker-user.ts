/** RabbitMQ's management API, as somebody who may make users. */
export interface BrokerAdmin {
  readonly url: string;
  readonly authorization: string;
}

/** Takes the name and the password out of a URL: `fetch` refuses one that has them. */
export function adminOf(text: string): BrokerAdmin {
  const { origin, username, password } = new URL(text);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { url: origin, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/**
 * Makes a service's user, who may use the virtual host `/` for the house's exchanges, the service's queue and its dead
 * letters, and for nothing else. Throws when the broker refuses.
 */
export async function makeBrokerUser(admin: BrokerAdmin, name: string, password: string): Promise<void> {
  await put(admin, `users/${name}`, { password, tags: '' });
  await put(admin, `permissions/%2F/${name}`, permissionsOf(name));
}

/** Every replica declares what it uses; a dead letter is put back into its queue by the default exchange. */
function permissionsOf(name: string) {
  const own = `homeostat\\.(events|dead|${name}(\\.dead)?)`;
  return { configure: `^${own}$`, write: `^(${own}|amq\\.default)$`, read: `^${own}$` };
}

async function put({ url, authorization }: BrokerAdmin, path: string, body: object): Promise<void> {
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/${path}`, { method: 'PUT', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`RabbitMQ refused ${path}: ${response.status} ${await response.text()}`);
}
