import { SETTINGS } from '@homeostat/platform';
import { Inject, Injectable } from '@nestjs/common';
import { request } from 'undici';
import { z } from 'zod';
import { BadArtifact } from '../../registry/registry.errors';
import type { SyncSettings } from '../../sync.config';
import { type RecordBody } from './record.validation';

const verdict = z.object({
  errors: z.array(z.object({ message: z.string().optional(), error: z.string().optional() }).loose()),
});
const SERVER_MS = 10_000;

/** What an OASF schema server says of records, where one is set (spec 2, "Validation"). */
@Injectable()
export class SchemaServer {
  private readonly url: string | null;

  constructor(@Inject(SETTINGS) settings: SyncSettings) {
    this.url = settings.RECONCILER_SCHEMA_URL;
  }

  /**
   * Returns when the server finds nothing wrong, or none is set. Throws BadArtifact `RefusedBySchemaServer` where it
   * does, and any other error when it could not be asked: that says nothing of the record.
   */
  async check({ schema_version: version }: RecordBody, text: string, signal: AbortSignal): Promise<void> {
    if (this.url === null) return;
    const url = `${this.url}/api/${version}/validate/object/record?missing_recommended=true`;
    const { errors } = await this.ask(url, text, AbortSignal.any([signal, AbortSignal.timeout(SERVER_MS)]));
    if (errors.length === 0) return;
    const said = errors.map(({ message, error }) => message ?? error ?? 'no reason given').slice(0, 3);
    throw new BadArtifact('RefusedBySchemaServer', `${errors.length} error(s): ${said.join('; ').slice(0, 500)}`);
  }

  private async ask(url: string, body: string, signal: AbortSignal): Promise<z.infer<typeof verdict>> {
    try {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const answer = await request(url, { method: 'POST', headers, body, signal });
      if (answer.statusCode !== 200) {
        await answer.body.dump();
        throw new Error(`it answered ${answer.statusCode}`);
      }
      return verdict.parse(await answer.body.json());
    } catch (error) {
      const why = error instanceof z.ZodError ? 'it answered something else than a verdict' : (error as Error).message;
      throw new Error(`the schema server could not be asked: ${why}`, { cause: error });
    }
  }
}
