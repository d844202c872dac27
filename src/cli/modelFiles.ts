import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { ModelError } from '../models/errors.js';
import { isModelArchive, isModelFile, type ModelFiles } from '../models/detect.js';
import { looksLikeZip, openZip } from '../models/formats/zip/archive.js';

/** Most files, and bytes in all, that a model is read from. */
const MAX_FILES = 10_000;
const MAX_BYTES = 16 * 2 ** 30;
/** Protobuf and JavaScript both end there. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

function fail(message: string): never {
  throw new ModelError('INVALID_ARGUMENT', message);
}

/** Files that a model needs beside itself are named in it: in JSON (TF.js shards), or as texts of a protobuf (ONNX). */
function isNamedIn(model: Uint8Array, name: string): boolean {
  return Buffer.from(model.buffer, model.byteOffset, model.byteLength).includes(name);
}

class Reader {
  readonly files: Record<string, Uint8Array> = Object.create(null) as Record<string, Uint8Array>;
  private bytes = 0;

  async add(path: string, name: string): Promise<Uint8Array> {
    const { size } = await stat(path);
    this.bytes += size;
    if (size > MAX_FILE_BYTES) fail(`${path} has ${size} bytes; at most ${MAX_FILE_BYTES} are read from one file.`);
    if (this.bytes > MAX_BYTES) fail(`The model's files have more than ${MAX_BYTES} bytes.`);
    if (Object.keys(this.files).length >= MAX_FILES) fail(`The model has more than ${MAX_FILES} files.`);
    const content = await readFile(path);
    this.files[name] = content;
    return content;
  }
}

/** All files of an archive. Throws INVALID_FILE. */
function unpacked(archive: Uint8Array): ModelFiles {
  const zip = openZip(archive);
  const names = zip.entries.map(({ name }) => name).filter((name) => !name.endsWith('/'));
  return Object.fromEntries(names.map((name) => [name, zip.read(name)]));
}

/**
 * The files of a model by their names relative to it: a folder, or a zip archive that is no model by itself, as a whole; of another file, the files beside it that it names.
 * Symbolic links in folders are not followed. Throws INVALID_ARGUMENT.
 */
export async function readModelFiles(path: string): Promise<ModelFiles> {
  const info = await stat(path).catch(() => fail(`There is no file ${path}.`));
  const reader = new Reader();
  if (info.isDirectory()) {
    for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      await reader.add(file, relative(path, file));
    }
    return reader.files;
  }
  const name = basename(path);
  const model = await reader.add(path, name);
  if (looksLikeZip(model) && !isModelArchive(model)) return unpacked(model);
  if (!isModelFile(name, model)) return reader.files;
  const folder = dirname(path);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const isOther = entry.isFile() && entry.name !== name;
    if (isOther && isNamedIn(model, entry.name)) await reader.add(join(folder, entry.name), entry.name);
  }
  return reader.files;
}
