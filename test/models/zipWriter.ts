import { crc32, deflateRawSync } from 'node:zlib';

/** An entry as a test wants it, lies included. What is left out is as it should be. */
export interface TestEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  /** In both headers. */
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly size?: number;
  readonly packedSize?: number;
  /** In the directory only. */
  readonly offset?: number;
  readonly unixMode?: number;
  readonly centralName?: string;
  readonly centralSize?: number;
  /** Sizes behind the data, zeros in front of it, as PyTorch's writer has it. */
  readonly descriptor?: boolean;
  /** Sizes and offset in zip64 fields. */
  readonly zip64?: boolean;
}

export interface TestArchive {
  readonly entries?: number;
  readonly directoryOffset?: number;
  readonly directoryBytes?: number;
  readonly comment?: string;
  readonly zip64?: boolean;
  readonly disk?: number;
}

const u16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);

/** A zip archive by APPNOTE.TXT 4.3, record by record. */
export function testZip(entries: readonly TestEntry[], archive: TestArchive = {}): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  const push = (...buffers: Buffer[]) => {
    for (const buffer of buffers) {
      parts.push(buffer);
      position += buffer.length;
    }
  };
  for (const entry of entries) {
    const packed = entry.deflate ? deflateRawSync(entry.data) : Buffer.from(entry.data);
    const method = entry.method ?? (entry.deflate ? 8 : 0);
    const flags = (entry.flags ?? 0x0800) | (entry.descriptor ? 8 : 0);
    const crc = entry.crc ?? crc32(entry.data);
    const size = entry.size ?? entry.data.length;
    const packedSize = entry.packedSize ?? packed.length;
    const name = Buffer.from(entry.name);
    const start = position;
    const sizes = entry.descriptor
      ? [u32(0), u32(0), u32(0)]
      : [u32(crc), ...(entry.zip64 ? [u32(0xffffffff), u32(0xffffffff)] : [u32(packedSize), u32(size)])];
    const extra =
      entry.zip64 && !entry.descriptor ? Buffer.concat([u16(1), u16(16), u64(size), u64(packedSize)]) : Buffer.alloc(0);
    const head = [u16(20), u16(flags), u16(method), u32(0x00210000)];
    push(Buffer.from('PK\x03\x04'), ...head, ...sizes, u16(name.length), u16(extra.length), name, extra, packed);
    if (entry.descriptor) push(Buffer.from('PK\x07\x08'), u32(crc), u32(packedSize), u32(size));
    const centralName = Buffer.from(entry.centralName ?? entry.name);
    const offset = entry.offset ?? start;
    const centralSize = entry.centralSize ?? size;
    const wide = entry.zip64
      ? Buffer.concat([u16(1), u16(24), u64(centralSize), u64(packedSize), u64(offset)])
      : Buffer.alloc(0);
    const centralSizes = entry.zip64 ? [u32(0xffffffff), u32(0xffffffff)] : [u32(packedSize), u32(centralSize)];
    directory.push(
      Buffer.concat([
        Buffer.from('PK\x01\x02'),
        u16(20 | (entry.unixMode === undefined ? 0 : 3 << 8)),
        ...head,
        u32(crc),
        ...centralSizes,
        u16(centralName.length),
        u16(wide.length),
        u16(0),
        u16(0),
        u16(0),
        u32(((entry.unixMode ?? 0) << 16) >>> 0),
        u32(entry.zip64 ? 0xffffffff : offset),
        centralName,
        wide,
      ]),
    );
  }
  const central = Buffer.concat(directory);
  const count = archive.entries ?? entries.length;
  const bytes = archive.directoryBytes ?? central.length;
  const offset = archive.directoryOffset ?? position;
  push(central);
  if (archive.zip64) {
    const at = position;
    push(
      Buffer.from('PK\x06\x06'),
      u64(44),
      u16(45),
      u16(45),
      u32(0),
      u32(0),
      u64(count),
      u64(count),
      u64(bytes),
      u64(offset),
    );
    push(Buffer.from('PK\x06\x07'), u32(0), u64(at), u32(1));
  }
  const comment = Buffer.from(archive.comment ?? '');
  const disk = u16(archive.disk ?? 0);
  const shortCount = u16(Math.min(count, 0xffff));
  push(
    Buffer.from('PK\x05\x06'),
    disk,
    disk,
    shortCount,
    shortCount,
    u32(bytes),
    u32(offset),
    u16(comment.length),
    comment,
  );
  return new Uint8Array(Buffer.concat(parts));
}
