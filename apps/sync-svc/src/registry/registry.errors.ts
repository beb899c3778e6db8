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

/** Thrown for an artifact that is not what it should be. */
export class BadArtifact extends Error {
  override readonly name = 'BadArtifact';

  constructor(
    readonly fault: ArtifactFault,
    message: string,
  ) {
    super(message);
  }
}
