import { Secrets, Unopenable } from '@homeostat/platform';
import { type Connector as ConnectorRow, HouseError } from '@homeostat/shared';
import type { ConnectorSettings } from '../connector.config';
import type { Connector, ConnectorConfig, ConnectorFactory } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { scrubbed } from '../slices/failure';

/** Opens the sources of connectors, with their secrets. */
export class Login {
  readonly secrets: Secrets;

  constructor(
    settings: ConnectorSettings,
    private readonly factories: readonly ConnectorFactory[],
  ) {
    this.secrets = new Secrets(settings.RECONCILER_SECRETS_KEY);
  }

  /** Names of the kinds that can be opened. */
  get kinds(): string[] {
    return this.factories.map(({ kind }) => kind);
  }

  /** A connector's secrets in clear. Throws HouseError `secrets_refused` where no key opens them. */
  credentialsOf(row: Pick<ConnectorRow, 'id' | 'tenant_id' | 'secrets'>): Record<string, string> {
    try {
      return row.secrets === null ? {} : this.secrets.open(row.secrets, row);
    } catch (error) {
      if (!(error instanceof Unopenable)) throw error;
      throw new HouseError('secrets_refused', `${error.message}: bring the key back, or give /auth again`);
    }
  }

  /** Throws HouseError `unprocessable` for a kind that there is not, or ConnectorFault `invalid_config`. */
  open(kind: string, config: ConnectorConfig): Connector {
    const factory = this.factories.find((one) => one.kind === kind);
    if (factory) return factory.create(config);
    const message = `there is no kind ${kind}: take ${this.kinds.join(' or ')}`;
    throw new HouseError('unprocessable', `/kind: ${message}`, { errors: [{ pointer: '/kind', message }] });
  }
}

/** Throws HouseError `unprocessable` where a kind does not take a configuration; nobody is asked. */
export async function checkConfig(login: Login, kind: string, config: ConnectorConfig): Promise<void> {
  try {
    await login.open(kind, config).close();
  } catch (error) {
    if (!(error instanceof ConnectorFault)) throw error;
    throw new HouseError('unprocessable', scrubbed(error.message, Object.values(config.credentials)));
  }
}

/** What a factory is given: the properties of the source, with the scheme of the login and what of it is no secret. */
export function configFor(
  { uri, properties }: ConnectorRow['source'],
  { scheme, settings }: Pick<ConnectorRow['auth'], 'scheme' | 'settings'>,
  credentials: Readonly<Record<string, string>>,
): ConnectorConfig {
  const login: Record<string, string> = scheme === 'none' ? {} : { auth: scheme };
  return { uri, properties: { ...properties, ...login, ...settings }, credentials };
}
