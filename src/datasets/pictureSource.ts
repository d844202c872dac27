import { availableParallelism } from 'node:os';
import type { Preprocessing } from '../models/network.js';
import { DECODER, decodePicture } from './decode.js';
import { DatasetError } from './errors.js';

export interface PictureSourceOptions {
  /** Bytes of a picture file by its SHA-256. */
  read(hash: string): Promise<Uint8Array>;
  readonly preprocessing: Preprocessing;
  /** Decoded pictures that are kept for the next epoch, in bytes. Default 256 MiB. */
  readonly cacheBytes?: number;
}

const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;

/** Threads that decode pictures where nobody says otherwise: one for each core, and never fewer than libuv has by itself. */
export const decodingThreads = (): number => Math.max(4, availableParallelism());

/** The threads that libuv has in this process, read from its own variable. */
const THREADS = Number(process.env.UV_THREADPOOL_SIZE) || 4;

/**
 * Pictures of a data set, decoded as a network wants them. sharp decodes in libuv's threads, one picture a thread, so threads of our
 * own would only fight with those for the cores.
 */
export class DecodingPictureSource {
  /** All that a picture's bytes depend on besides its file. */
  readonly decoding: string;
  private readonly decoded = new Map<string, Uint8Array>();
  private readonly kept: number;

  constructor(private readonly options: PictureSourceOptions) {
    const { height, width, fit, cropFraction, interpolation } = options.preprocessing;
    this.decoding = JSON.stringify([DECODER, height, width, fit, cropFraction, interpolation]);
    this.kept = Math.floor((options.cacheBytes ?? DEFAULT_CACHE_BYTES) / (height * width * 3));
  }

  /**
   * The pictures in the order of `hashes`: N x H x W x 3 bytes, RGB. Rejects with a `DatasetError` UNREADABLE_PICTURE that names
   * the first picture that cannot be decoded.
   */
  async load(hashes: readonly string[]): Promise<Uint8Array> {
    const { height, width } = this.options.preprocessing;
    const bytes = height * width * 3;
    const batch = new Uint8Array(hashes.length * bytes);
    let next = 0;
    const work = async () => {
      while (next < hashes.length) {
        const index = next++;
        batch.set(await this.one(hashes[index] as string), index * bytes);
      }
    };
    await Promise.all(Array.from({ length: Math.min(THREADS, hashes.length) }, work));
    return batch;
  }

  private async one(hash: string): Promise<Uint8Array> {
    const known = this.decoded.get(hash);
    if (known) return known;
    const picture = await this.decode(hash);
    // Epochs ask for every picture in turn: throwing out the oldest would miss each time, so the first ones stay.
    if (this.decoded.size < this.kept) this.decoded.set(hash, picture);
    return picture;
  }

  private async decode(hash: string): Promise<Uint8Array> {
    try {
      return await decodePicture(await this.options.read(hash), this.options.preprocessing);
    } catch (cause) {
      if (!(cause instanceof DatasetError)) throw cause;
      throw new DatasetError('UNREADABLE_PICTURE', `The picture ${hash}: ${cause.message}.`, { cause });
    }
  }
}
