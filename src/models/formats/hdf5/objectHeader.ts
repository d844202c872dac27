import type { Hdf5Bytes } from './file.js';

/** One message of an object header: its type, and where its data lie. */
export interface Message {
  readonly type: number;
  readonly at: number;
  readonly size: number;
  /** Its data lie elsewhere, as for committed types. */
  readonly isShared: boolean;
}

export const MESSAGE = {
  dataspace: 1,
  linkInfo: 2,
  datatype: 3,
  link: 6,
  layout: 8,
  filters: 0xb,
  attribute: 0xc,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

const SHARED = 2;

/** Reads all messages of the object header at `address`, version 1 or 2 (specification, IV.A). Throws INVALID_FILE. */
export function readMessages(file: Hdf5Bytes, address: number): Message[] {
  const messages: Message[] = [];
  const blocks = [file.isAt(address, 'OHDR') ? versionTwo(file, address) : versionOne(file, address)];
  const seen = new Set<number>([address]);
  for (let block = blocks.pop(); block; block = blocks.pop()) {
    for (const message of block.messages()) {
      file.countMessage();
      if (message.type !== MESSAGE.continuation) {
        messages.push(message);
        continue;
      }
      file.countNode();
      const at = file.address(message.at) ?? file.fail('an object header goes on nowhere.');
      if (seen.has(at)) file.fail('an object header goes on in itself.');
      seen.add(at);
      blocks.push(block.next(at, file.lengthAt(message.at + file.addressSize)));
    }
  }
  return messages;
}

interface Block {
  messages(): Iterable<Message>;
  next(at: number, length: number): Block;
}

function versionOne(file: Hdf5Bytes, address: number): Block {
  const version = file.u8(address);
  if (version !== 1) file.fail(`there is no object header at ${address}.`);
  const block = (start: number, length: number): Block => ({
    *messages() {
      file.check(start, length);
      for (let at = start; at + 8 <= start + length; ) {
        const size = file.u16(at + 2);
        yield message(file, file.u16(at), at + 8, size, file.u8(at + 4), start + length);
        at += 8 + size;
      }
    },
    next: block,
  });
  return block(address + 16, file.u32(address + 8));
}

function versionTwo(file: Hdf5Bytes, address: number): Block {
  const version = file.u8(address + 4);
  if (version !== 2) file.fail(`version ${version} of an object header is unknown.`);
  const flags = file.u8(address + 5);
  const headerSize = flags & 4 ? 6 : 4;
  const block = (start: number, length: number): Block => ({
    *messages() {
      file.check(start, length);
      for (let at = start; at + headerSize <= start + length; ) {
        const size = file.u16(at + 1);
        yield message(file, file.u8(at), at + headerSize, size, file.u8(at + 3), start + length);
        at += headerSize + size;
      }
    },
    next(at, size) {
      if (!file.isAt(at, 'OCHK')) file.fail(`an object header goes on at ${at}, where it is not.`);
      return block(at + 4, size - 8);
    },
  });
  const sizeAt = address + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const sizeBytes = 1 << (flags & 3);
  return block(sizeAt + sizeBytes, file.unsigned(sizeAt, sizeBytes));
}

function message(file: Hdf5Bytes, type: number, at: number, size: number, flags: number, end: number): Message {
  if (at + size > end) file.fail(`a header message at ${at} is longer than its object header.`);
  return { type, at, size, isShared: (flags & SHARED) !== 0 };
}
