import { HDF5_LIMITS, Hdf5Bytes } from './file.js';
import { readData } from './layout.js';
import { readLinks } from './links.js';
import { MESSAGE, type Message, readMessages } from './objectHeader.js';
import { type Datatype, elements, readDataspace, readDatatype, readStrings, toNumbers } from './types.js';

/** A text, a list of texts, or numbers. */
export type Attribute = string | readonly string[] | Float32Array;

/** A group, a data set, or both or neither where a file is damaged: what is not there is said when it is asked for. */
export class Hdf5Object {
  private readonly messages: readonly Message[];
  private readonly children = new Map<string, Hdf5Object>();
  private linksRead: ReadonlyMap<string, number> | null = null;

  constructor(
    private readonly file: Hdf5Bytes,
    address: number,
  ) {
    this.messages = readMessages(file, address);
  }

  private find(type: number): Message | undefined {
    const message = this.messages.find((candidate) => candidate.type === type);
    if (message?.isShared) this.file.fail('a named (committed) type is not supported.');
    return message;
  }

  private get links(): ReadonlyMap<string, number> {
    this.linksRead ??= readLinks(this.file, this.messages);
    return this.linksRead;
  }

  get isDataset(): boolean {
    return this.messages.some(({ type }) => type === MESSAGE.layout);
  }

  /** Names of what lies in this group, in the file's order. */
  get names(): readonly string[] {
    return this.isDataset ? [] : [...this.links.keys()];
  }

  /** The object at `path` ("a/b/c") below this group; null where there is none. */
  get(path: string): Hdf5Object | null {
    const separator = path.indexOf('/');
    if (separator >= 0) return this.get(path.slice(0, separator))?.get(path.slice(separator + 1)) ?? null;
    if (path === '' || path === '.') return this;
    const known = this.children.get(path);
    if (known) return known;
    const address = this.isDataset ? undefined : this.links.get(path);
    if (address === undefined) return null;
    const child = new Hdf5Object(this.file, address);
    this.children.set(path, child);
    return child;
  }

  /** Shape of a data set. */
  get shape(): readonly number[] {
    const space = this.find(MESSAGE.dataspace) ?? this.file.fail('a data set has no shape.');
    return readDataspace(this.file, space.at);
  }

  private get datatype(): Datatype {
    const type = this.find(MESSAGE.datatype) ?? this.file.fail('a data set has no type.');
    return readDatatype(this.file, type.at);
  }

  /** Values of a data set of numbers, as float32. Throws INVALID_FILE, or UNSUPPORTED for how they are stored. */
  numbers(): Float32Array {
    const type = this.datatype;
    if (type.kind !== 'number') return this.file.fail('a data set does not hold numbers of a known type.');
    const layout = this.find(MESSAGE.layout) ?? this.file.fail('there is no data set where one is expected.');
    const { shape } = this;
    const bytes = readData(this.file, layout, this.find(MESSAGE.filters), shape, type.size);
    if (bytes.byteLength !== elements(this.file, shape) * type.size) {
      this.file.fail(`a data set of the shape [${shape.join(', ')}] has ${bytes.byteLength} bytes.`);
    }
    return toNumbers(bytes, type);
  }

  /** Value of an attribute; null where there is none, or none of texts or numbers. */
  attribute(name: string): Attribute | null {
    for (const message of this.messages) {
      if (message.type !== MESSAGE.attribute || message.isShared) continue;
      const found = this.readAttribute(message, name);
      if (found !== undefined) return found;
    }
    const info = this.messages.find(({ type }) => type === MESSAGE.attributeInfo);
    if (info && hasDenseAttributes(this.file, info.at)) {
      return this.file.fail(
        'attributes stored in a heap of their own are not supported; save it with h5py as it is set.',
      );
    }
    return null;
  }

  /** Undefined where the message is of another attribute (specification, IV.A.2.m). */
  private readAttribute({ at, size }: Message, wanted: string): Attribute | null | undefined {
    const { file } = this;
    const version = file.u8(at);
    if (version < 1 || version > 3) file.fail(`version ${version} of an attribute is unknown.`);
    const sizes = [file.u16(at + 2), file.u16(at + 4), file.u16(at + 6)] as const;
    const padded = (length: number) => (version === 1 ? Math.ceil(length / 8) * 8 : length);
    const nameAt = at + (version === 3 ? 9 : 8);
    if (sizes[0] > HDF5_LIMITS.name || file.text(nameAt, sizes[0]) !== wanted) return undefined;
    const typeAt = nameAt + padded(sizes[0]);
    const spaceAt = typeAt + padded(sizes[1]);
    const dataAt = spaceAt + padded(sizes[2]);
    const type = readDatatype(file, typeAt);
    const shape = readDataspace(file, spaceAt);
    const count = elements(file, shape);
    if (dataAt + count * type.size > at + size) file.fail(`the attribute ${wanted} is longer than its message.`);
    if (type.kind === 'number') return toNumbers(file.slice(dataAt, count * type.size), type);
    if (type.kind === 'other') return null;
    const texts = readStrings(file, dataAt, count, type);
    return shape.length === 0 ? (texts[0] ?? '') : texts;
  }
}

/** Attribute info: version, flags, the highest creation index where flags say so, then the heap's address. */
function hasDenseAttributes(file: Hdf5Bytes, at: number): boolean {
  return file.address(at + 2 + (file.u8(at + 1) & 1 ? 2 : 0)) !== null;
}

/**
 * Opens an HDF5 file and returns its root group. Reads what h5py and the HDF5 library write by default: all versions of the
 * superblock and of object headers, groups as symbol tables and as links, contiguous, compact and chunked data. What the file
 * says is checked against its length and `HDF5_LIMITS`. Throws INVALID_FILE.
 */
export function openHdf5(bytes: Uint8Array): Hdf5Object {
  const file = new Hdf5Bytes(bytes);
  return new Hdf5Object(file, file.root);
}
