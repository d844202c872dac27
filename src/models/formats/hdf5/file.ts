import { ByteReader } from '../byteReader.js';

/** Far above what a file of weights needs; a hostile one is refused by them in bounded time. */
export const HDF5_LIMITS = {
  /** Messages in all object headers that are read, with the entries of nodes. */
  messages: 500_000,
  /** Nodes of B-trees, symbol nodes and header blocks that are read. */
  nodes: 1_000_000,
  /** Links in one group. */
  links: 100_000,
  rank: 32,
  /** Bytes of a name. */
  name: 1024,
  /** Bytes of one attribute. A network's configuration is the largest that Keras writes. */
  attribute: 1 << 28,
} as const;

const SIGNATURE = '\x89HDF\r\n\x1a\n';

/** Whether the bytes begin as an HDF5 file. */
export const looksLikeHdf5 = (bytes: Uint8Array): boolean => new ByteReader(bytes, 'HDF5').isAt(0, SIGNATURE);

/**
 * The bytes of an HDF5 file with the sizes of its addresses and lengths (HDF5 File Format Specification 3.0, section II.A), and
 * what is left of the limits.
 */
export class Hdf5Bytes extends ByteReader {
  readonly addressSize: number;
  readonly lengthSize: number;
  /** Of the root group's object header. */
  readonly root: number;
  private messages = 0;
  private nodes = 0;
  private data = 0;
  private texts = 0;

  constructor(bytes: Uint8Array) {
    super(bytes, 'HDF5');
    if (!this.isAt(0, SIGNATURE)) this.fail('the signature is missing.');
    const version = this.u8(8);
    if (version > 3) this.fail(`version ${version} of the superblock is unknown.`);
    const sizes = version < 2 ? 13 : 9;
    this.addressSize = this.sizeAt(sizes);
    this.lengthSize = this.sizeAt(sizes + 1);
    const addresses = version === 0 ? 24 : version === 1 ? 28 : 12;
    if (this.address(addresses) !== 0) this.fail('it lies inside another file (a user block), which is not supported.');
    const at = addresses + this.addressSize * (version < 2 ? 5 : 3);
    this.root = this.address(at) ?? this.fail('it has no root group.');
  }

  private sizeAt(at: number): number {
    const size = this.u8(at);
    return size === 2 || size === 4 || size === 8 ? size : this.fail(`addresses of ${size} bytes are not possible.`);
  }

  /** An address; null for the undefined one (all bits set). */
  address(at: number): number | null {
    const bytes = this.slice(at, this.addressSize);
    return bytes.every((byte) => byte === 0xff) ? null : this.unsigned(at, this.addressSize);
  }

  lengthAt(at: number): number {
    return this.unsigned(at, this.lengthSize);
  }

  countMessage(): void {
    if (++this.messages > HDF5_LIMITS.messages)
      this.fail(`it has more than ${HDF5_LIMITS.messages} header messages and entries.`);
  }

  countNode(): void {
    if (++this.nodes > HDF5_LIMITS.nodes) this.fail(`it has more than ${HDF5_LIMITS.nodes} nodes.`);
  }

  /** Data sets do not overlap in a sound file, so all that are read cannot be more than the file. */
  countData(length: number): void {
    this.data += length;
    if (this.data > this.length) this.fail('its data sets overlap: they hold more bytes than the file.');
  }

  /** Texts may be read several times, but not all of the file again and again. */
  countText(length: number): void {
    this.texts += length;
    if (this.texts > 16 * this.length) this.fail('its texts share their bytes: they are far longer than the file.');
  }
}
