import { digestOf } from '../registry/cid';
import type { Descriptor, Manifest } from '../registry/manifest';
import { BadArtifact } from '../registry/registry.errors';

/** Marks the manifest of a signature or a key, of which newer versions of the directory give a CID as tag (spec 2). */
const REFERRER_TYPE = 'agntcy.dir.referrer.type';

/** The manifest that this one refers to; null: none, as of a record. Throws BadArtifact where it should name one. */
export function subjectOf({ subject, annotations }: Manifest): string | null {
  if (subject) return subject.digest;
  if (annotations?.[REFERRER_TYPE] === undefined) return null;
  throw new BadArtifact('NotARecord', 'it calls itself a referrer, and names no subject');
}

/** The one layer of a record. Throws BadArtifact where there are others, or it is not what the tag names. */
export function layerOf({ layers }: Manifest, cid: string): Descriptor {
  const [layer] = layers;
  if (layers.length !== 1 || !layer) throw new BadArtifact('NotARecord', `it has ${layers.length} layers, not one`);
  if (layer.mediaType !== 'application/json') {
    throw new BadArtifact('NotARecord', `its layer is ${layer.mediaType.slice(0, 100)}, not application/json`);
  }
  if (layer.digest === digestOf(cid)) return layer;
  throw new BadArtifact('DigestMismatch', `its layer is ${layer.digest}, which is not what the tag names`);
}
