import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/*
 * A shard is two files that only grow. NAME.records: records of fixed size, one after the other. NAME.index: a header, then for
 * each record SHA-256 of the picture (32 bytes), CRC-32 of the record, CRC-32 of these 36 bytes; numbers little endian. A record
 * is written before its entry, so whatever a crash cuts off is not listed, or fails a checksum. Each writer makes shards of its
 * own: processes share a folder without locks.
 */

const MAGIC = 'GRAFTFE1';
/** Magic, bytes of a record, CRC-32 of the two. */
const HEADER_BYTES = 16;
const ENTRY_BYTES = 40;
const HASH_BYTES = 32;
const MAX_SHARD_BYTES = 2 ** 28;
/** Neighbouring records are read at once up to this size. */
const READ_BYTES = 2 ** 22;
const READS_AHEAD = 3;
/** Free room that is used without asking again, because asking looks through the whole folder. */
const RESERVED_BYTES = 2 ** 24;

export interface ShardOptions {
  /** Makes room for so many more bytes if it can; returns how many are free then. */
  readonly reserve: (bytes: number) => Promise<number>;
  readonly onProblem: (error: unknown) => void;
}

interface Place {
  readonly shard: string;
  readonly index: number;
  readonly checksum: number;
}

interface Wanted extends Place {
  readonly hash: string;
}

/** The records of one trunk. */
export class StoredRecords {
  private readonly places = new Map<string, Place>();
  private readonly readers = new Map<string, Promise<FileHandle>>();
  private writer: Writer | null = null;
  private appending: Promise<void> = Promise.resolve();
  private reserved = 0;
  private isFull = false;

  private constructor(
    private readonly folder: string,
    private readonly recordBytes: number,
    private readonly options: ShardOptions,
  ) {}

  static async open(folder: string, recordBytes: number, options: ShardOptions): Promise<StoredRecords> {
    const records = new StoredRecords(folder, recordBytes, options);
    const shards = (await readdir(folder)).filter((name) => name.endsWith('.index')).sort();
    for (const name of shards) await records.list(name.slice(0, -'.index'.length));
    return records;
  }

  /** Takes up the entries of one shard; later ones count, since a damaged record is written again. */
  private async list(shard: string): Promise<void> {
    const index = await readFile(join(this.folder, `${shard}.index`)).catch(() => Buffer.alloc(0));
    const records = await stat(join(this.folder, `${shard}.records`)).catch(() => ({ size: 0 }));
    if (!index.subarray(0, HEADER_BYTES).equals(header(this.recordBytes))) return;
    const whole = Math.min(
      Math.floor((index.length - HEADER_BYTES) / ENTRY_BYTES),
      Math.floor(records.size / this.recordBytes),
    );
    for (let i = 0; i < whole; i++) {
      const at = HEADER_BYTES + i * ENTRY_BYTES;
      if (crc32(index.subarray(at, at + 36)) !== index.readUInt32LE(at + 36)) continue;
      const hash = index.toString('hex', at, at + HASH_BYTES);
      this.places.set(hash, { shard, index: i, checksum: index.readUInt32LE(at + HASH_BYTES) });
    }
  }

  has(hash: string): boolean {
    return this.places.has(hash);
  }

  async read(hashes: readonly string[], visit: (hash: string, record: Uint8Array) => void): Promise<void> {
    const wanted = hashes.flatMap((hash): Wanted[] => {
      const place = this.places.get(hash);
      return place ? [{ hash, ...place }] : [];
    });
    const runs = neighbours(wanted, Math.max(1, Math.floor(READ_BYTES / this.recordBytes)));
    const ahead: Promise<Uint8Array>[] = [];
    const start = (run: readonly Wanted[] | undefined) => run && ahead.push(this.readRun(run));
    for (const run of runs.slice(0, READS_AHEAD)) start(run);
    for (const [i, run] of runs.entries()) {
      const bytes = (await ahead.shift()) as Uint8Array;
      start(runs[i + READS_AHEAD]);
      for (const [j, { hash, checksum }] of run.entries()) {
        const record = bytes.subarray(j * this.recordBytes, (j + 1) * this.recordBytes);
        if (record.length === this.recordBytes && crc32(record) === checksum) visit(hash, record);
        else this.places.delete(hash);
      }
    }
  }

  /** As much of a run of neighbouring records as can be read. */
  private async readRun(run: readonly Wanted[]): Promise<Uint8Array> {
    const [first] = run as readonly [Wanted];
    const bytes = new Uint8Array(run.length * this.recordBytes);
    try {
      let file = this.readers.get(first.shard);
      if (!file) {
        file = open(join(this.folder, `${first.shard}.records`));
        this.readers.set(first.shard, file);
      }
      const { bytesRead } = await (await file).read(bytes, 0, bytes.length, first.index * this.recordBytes);
      return bytes.subarray(0, bytesRead);
    } catch {
      return bytes.subarray(0, 0);
    }
  }

  /** Never throws for want of disk: what cannot be kept is computed again. */
  async append(hashes: readonly string[], records: Uint8Array): Promise<void> {
    if (records.length !== hashes.length * this.recordBytes) {
      throw new RangeError(
        `${hashes.length} records of ${this.recordBytes} bytes expected, ${records.length} bytes given.`,
      );
    }
    // One after the other, each behind what the one before wrote.
    this.appending = this.appending.then(() => this.appendNext(hashes, records));
    await this.appending;
  }

  private async appendNext(hashes: readonly string[], records: Uint8Array): Promise<void> {
    const bytes = records.length + hashes.length * ENTRY_BYTES;
    if (this.isFull || hashes.length === 0) return;
    try {
      if (this.reserved < bytes) {
        const free = await this.options.reserve(bytes);
        this.reserved = Math.min(free, Math.max(bytes, RESERVED_BYTES));
        this.isFull = free < bytes;
        if (this.isFull) return;
      }
      this.reserved -= bytes;
      if (this.writer && this.writer.bytes >= MAX_SHARD_BYTES) await this.closeWriter();
      this.writer ??= await Writer.create(this.folder, this.recordBytes);
      const { shard } = this.writer;
      const written = await this.writer.append(hashes, records);
      for (const [hash, place] of written) this.places.set(hash, { shard, ...place });
    } catch (error) {
      this.isFull = true;
      this.options.onProblem(error);
    }
  }

  private async closeWriter(): Promise<void> {
    await this.writer?.close();
    this.writer = null;
  }

  async close(): Promise<void> {
    await this.appending;
    await this.closeWriter();
    for (const file of this.readers.values()) await file.then((handle) => handle.close()).catch(() => undefined);
    this.readers.clear();
  }
}

/** Sorted by place and cut into runs of records that lie one after the other. */
function neighbours(wanted: readonly Wanted[], longest: number): Wanted[][] {
  const sorted = [...wanted].sort((a, b) => (a.shard < b.shard ? -1 : a.shard > b.shard ? 1 : a.index - b.index));
  const runs: Wanted[][] = [];
  let run: Wanted[] = [];
  for (const next of sorted) {
    const last = run.at(-1);
    if (!last || last.shard !== next.shard || last.index + 1 !== next.index || run.length >= longest) {
      run = [];
      runs.push(run);
    }
    run.push(next);
  }
  return runs;
}

function header(recordBytes: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt32LE(recordBytes, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  return bytes;
}

/** One shard that this process writes. */
class Writer {
  private count = 0;

  private constructor(
    readonly shard: string,
    private readonly recordBytes: number,
    private readonly records: FileHandle,
    private readonly index: FileHandle,
  ) {}

  static async create(folder: string, recordBytes: number): Promise<Writer> {
    // Names sort by time; the rest keeps processes apart.
    const shard = `${Date.now().toString(36).padStart(9, '0')}-${randomUUID()}`;
    const records = await open(join(folder, `${shard}.records`), 'wx');
    try {
      const index = await open(join(folder, `${shard}.index`), 'wx');
      await write(index, header(recordBytes), 0);
      return new Writer(shard, recordBytes, records, index);
    } catch (error) {
      await records.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.count * this.recordBytes;
  }

  async append(hashes: readonly string[], records: Uint8Array): Promise<[string, Omit<Place, 'shard'>][]> {
    const entries = Buffer.alloc(hashes.length * ENTRY_BYTES);
    const places = hashes.map((hash, i): [string, Omit<Place, 'shard'>] => {
      const at = i * ENTRY_BYTES;
      if (entries.write(hash, at, 'hex') !== HASH_BYTES) {
        throw new RangeError(`${JSON.stringify(hash)} is no SHA-256: that is 64 hexadecimal digits.`);
      }
      const checksum = crc32(records.subarray(i * this.recordBytes, (i + 1) * this.recordBytes));
      entries.writeUInt32LE(checksum, at + HASH_BYTES);
      entries.writeUInt32LE(crc32(entries.subarray(at, at + 36)), at + 36);
      return [hash, { index: this.count + i, checksum }];
    });
    await write(this.records, records, this.bytes);
    await write(this.index, entries, HEADER_BYTES + this.count * ENTRY_BYTES);
    this.count += hashes.length;
    return places;
  }

  async close(): Promise<void> {
    await this.records.close();
    await this.index.close();
  }
}

async function write(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  }
}
