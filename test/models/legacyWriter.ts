import { openZip } from '../../src/models/formats/zip/archive.js';
import { pickle, text } from './pickles.js';

/** Facts about the machine that come before the value (torch/serialization.py, _legacy_save). */
const MACHINE = `}(${text('protocol_version')}M\xe9\x03${text('little_endian')}\x88${text('type_sizes')}}u`;

/** The file of a state dict in zip format, whose storages are float32, as PyTorch before 1.6 wrote it. */
export function legacyFile(zipFile: Uint8Array): Uint8Array {
  const zip = openZip(zipFile);
  const keys = zip.entries.flatMap(({ name }) => /^archive\/data\/(\d+)$/.exec(name)?.[1] ?? []);
  const storages = keys.flatMap((key) => {
    const bytes = zip.read(`archive/data/${key}`);
    return [Buffer.from(BigInt64Array.of(BigInt(bytes.length / 4)).buffer), bytes];
  });
  const head = [
    pickle('\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19'),
    pickle('M\xe9\x03'),
    pickle(MACHINE),
    zip.read('archive/data.pkl'),
    pickle(`](${keys.map(text).join('')}e`),
  ];
  return new Uint8Array(Buffer.concat([...head, ...storages]));
}
