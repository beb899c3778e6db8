/** An IPv4 network that is cut into blocks of eight addresses (/29), one per VM. */
export interface Network {
  /** Its first address, as a number of 32 bits. */
  readonly first: number;
  /** How many VMs it has room for. */
  readonly blocks: number;
}

const BLOCK = 8;
/** Within its block the VM has the third address: the first is the network's, the second its gateway's. */
const OFFSET = 2;

/** The network that `10.77.0.0/16` means; null where the text is none, has bits set beyond its prefix, or is smaller than a /29. */
export function parseNetwork(text: string): Network | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!match) return null;
  const [a, b, c, d, prefix] = match.slice(1).map(Number) as [number, number, number, number, number];
  const first = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  const size = 2 ** (32 - prefix);
  if (Math.max(a, b, c, d) > 255 || prefix > 29 || first % size !== 0) return null;
  return { first, blocks: size / BLOCK };
}

/** The text that `parseNetwork` takes. */
export function textOf({ first, blocks }: Network): string {
  return `${dotted(first)}/${32 - Math.log2(blocks * BLOCK)}`;
}

/** The address of VM number `number` (spec 1, "VM pool": network + 8 × number + 2). Throws RangeError beyond the network. */
export function addressOf(network: Network, number: number): string {
  if (!Number.isInteger(number) || number < 0 || number >= network.blocks) {
    throw new RangeError(`VM number ${number} is outside the network, which has room for ${network.blocks}`);
  }
  return dotted(network.first + number * BLOCK + OFFSET);
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
