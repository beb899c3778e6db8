const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';

/** The bytes of a Z85 text (ZeroMQ RFC 32); null when it is none. */
export function fromZ85(text: string): Buffer | null {
  if (text.length % 5 !== 0) return null;
  const bytes = Buffer.alloc((text.length / 5) * 4);
  for (let at = 0; at < text.length; at += 5) {
    const value = groupValue(text, at);
    if (value < 0 || value > 0xffff_ffff) return null;
    bytes.writeUInt32BE(value, (at / 5) * 4);
  }
  return bytes;
}

function groupValue(text: string, at: number): number {
  let value = 0;
  for (let offset = 0; offset < 5; offset++) {
    const digit = alphabet.indexOf(text[at + offset]!);
    if (digit < 0) return -1;
    value = value * 85 + digit;
  }
  return value;
}
