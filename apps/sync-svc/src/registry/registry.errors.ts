import { storable } from '../storable';

/** The registry asks to be left alone for a while (429, 503): not before that time. */
export class RegistryBusy extends Error {
  override readonly name = 'RegistryBusy';

  constructor(
    message: string,
    readonly until: Date,
  ) {
    super(message);
  }
}

/** The registry does not let us in: asking again would not mend it. */
export class RegistryRefused extends Error {
  override readonly name = 'RegistryRefused';
}

/** What is wrong with an artifact itself: asking again would not mend it. */
export const artifactFaults = [
  'NotARecord',
  'TooLarge',
  'DigestMismatch',
  'NotJson',
  'ByteOrderMark',
  'TooDeep',
  'DuplicateKey',
  'UnstorableText',
  'NotAnObject',
  'MissingAttribute',
  'WrongType',
  'BadFormat',
  'UnsupportedSchemaVersion',
  'RefusedBySchemaServer',
] as const;
export type ArtifactFault = (typeof artifactFaults)[number];

/** Others choose the names and values that a message may quote. */
const LONGEST_MESSAGE = 1_000;

/** Thrown for an artifact that is not what it should be; its message can be stored. */
export class BadArtifact extends Error {
  override readonly name = 'BadArtifact';

  constructor(
    readonly fault: ArtifactFault,
    message: string,
  ) {
    super(storable(message.slice(0, LONGEST_MESSAGE)));
  }
}
