import { setTimeout as after } from 'node:timers/promises';
import type { Database } from '@homeostat/platform';
import type { DockerEngine } from './docker.engine';

interface ImageRow {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string | null;
  readonly digest: string | null;
}

/** A pull that takes longer is asked after in the next look. */
const PATIENCE_MS = 1_000;

/** Images that machines run: our names of them, and whether the engine has them. */
export class DockerImages {
  private readonly pulls = new Map<string, Promise<boolean>>();

  constructor(
    private readonly engine: DockerEngine,
    private readonly database: Pick<Database, 'query'>,
  ) {}

  /** The engine's name of an image that a builder reported. */
  async nameOf(imageId: string): Promise<string> {
    const [row] = await this.database.query<ImageRow>(
      'SELECT registry, repository, tag, digest FROM image WHERE id = $1',
      [imageId],
    );
    if (!row) throw new Error(`image ${imageId} is not known any more`);
    const { registry, repository, tag, digest } = row;
    return `${registry}/${repository}${digest === null ? `:${tag ?? 'latest'}` : `@${digest}`}`;
  }

  /** Whether the engine has it; if not, it is being pulled. A pull that failed is told once, and the next look tries again. */
  async has(image: string, signal: AbortSignal): Promise<boolean> {
    if (await this.engine.hasImage(image, signal)) {
      this.pulls.delete(image);
      return true;
    }
    try {
      return await Promise.race([this.pull(image), after(PATIENCE_MS, false, { signal, ref: false })]);
    } catch (error) {
      signal.throwIfAborted();
      this.pulls.delete(image);
      const { message } = error as Error;
      throw new Error(`image ${image} cannot be had: ${message}; push it, or load it into the engine`, {
        cause: error,
      });
    }
  }

  private pull(image: string): Promise<boolean> {
    const pull = this.pulls.get(image) ?? this.engine.pull(image).then(() => true);
    pull.catch(() => undefined);
    this.pulls.set(image, pull);
    return pull;
  }
}
