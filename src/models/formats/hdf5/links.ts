import { ModelError } from '../../errors.js';
import { HDF5_LIMITS, type Hdf5Bytes } from './file.js';
import { MESSAGE, type Message } from './objectHeader.js';

/** Addresses of the objects that a group links to by name. Soft and external links are left out. Throws INVALID_FILE. */
export function readLinks(file: Hdf5Bytes, messages: readonly Message[]): ReadonlyMap<string, number> {
  const links = new Map<string, number>();
  const add = (name: string, address: number | null) => {
    if (address === null) return;
    if (links.size >= HDF5_LIMITS.links) file.fail(`a group has more than ${HDF5_LIMITS.links} links.`);
    links.set(name, address);
  };
  for (const message of messages) {
    if (message.type === MESSAGE.symbolTable) readSymbolTable(file, message.at, add);
    else if (message.type === MESSAGE.link) readLink(file, message, add);
    else if (message.type === MESSAGE.linkInfo) refuseDense(file, message.at);
  }
  return links;
}

type Add = (name: string, address: number | null) => void;

/** Link info (specification, IV.A.2.c): many links of newer files lie in a fractal heap. */
function refuseDense(file: Hdf5Bytes, at: number): void {
  const heap = file.address(at + 2 + (file.u8(at + 1) & 1 ? 8 : 0));
  if (heap !== null) {
    const advice = 'save it with h5py without libver="latest" and without track_order, as Keras does';
    throw new ModelError(
      'UNSUPPORTED',
      `HDF5: a group keeps its links in a fractal heap, which is not read; ${advice}.`,
    );
  }
}

/** A link message (specification, IV.A.2.g). */
function readLink(file: Hdf5Bytes, { at, size }: Message, add: Add): void {
  const flags = file.u8(at + 1);
  let next = at + 2;
  const type = flags & 8 ? file.u8(next++) : 0;
  if (flags & 4) next += 8;
  if (flags & 0x10) next++;
  const lengthBytes = 1 << (flags & 3);
  const length = file.unsigned(next, lengthBytes);
  next += lengthBytes;
  if (length > HDF5_LIMITS.name) file.fail('the name of a link is too long.');
  if (next + length > at + size) file.fail('the name of a link is longer than its message.');
  if (type === 0) add(file.text(next, length), file.address(next + length));
}

/** A group as a B-tree of symbol nodes whose names lie in a local heap (specification, III.A.1, III.B, III.C, III.D). */
function readSymbolTable(file: Hdf5Bytes, at: number, add: Add): void {
  const heap = file.address(at + file.addressSize) ?? file.fail('a group has no heap of names.');
  if (!file.isAt(heap, 'HEAP')) file.fail(`there is no local heap at ${heap}.`);
  const namesSize = file.lengthAt(heap + 8);
  const names = file.address(heap + 8 + 2 * file.lengthSize) ?? file.fail('a heap of names is nowhere.');
  file.check(names, namesSize);
  const name = (offset: number) =>
    offset < namesSize
      ? file.text(names + offset, Math.min(HDF5_LIMITS.name, namesSize - offset))
      : file.fail('a name lies outside its heap.');
  const nodes = [file.address(at)];
  const seen = new Set<number>();
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    if (node === null) continue;
    file.countNode();
    if (seen.has(node)) file.fail('the tree of a group has a loop.');
    seen.add(node);
    if (file.isAt(node, 'SNOD')) readSymbolNode(file, node, (offset, address) => add(name(offset), address));
    else nodes.push(...treeChildren(file, node).reverse());
  }
}

function treeChildren(file: Hdf5Bytes, node: number): (number | null)[] {
  if (!file.isAt(node, 'TREE') || file.u8(node + 4) !== 0) file.fail(`there is no node of a group at ${node}.`);
  const start = node + 8 + 2 * file.addressSize + file.lengthSize;
  const step = file.addressSize + file.lengthSize;
  return Array.from({ length: file.u16(node + 6) }, (_, index) => {
    file.countMessage();
    return file.address(start + index * step);
  });
}

function readSymbolNode(
  file: Hdf5Bytes,
  node: number,
  entry: (nameOffset: number, address: number | null) => void,
): void {
  const step = 2 * file.addressSize + 24;
  const count = file.u16(node + 6);
  for (let index = 0; index < count; index++) {
    file.countMessage();
    const at = node + 8 + index * step;
    const cacheType = file.u32(at + 2 * file.addressSize);
    const isSoftLink = cacheType === 2;
    if (!isSoftLink) entry(file.unsigned(at, file.addressSize), file.address(at + file.addressSize));
  }
}
