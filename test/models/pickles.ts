import { testZip } from './zipWriter.js';

/** Pickles as texts of one character for each byte (Lib/pickletools.py lists the opcodes), so that tests can write any. */
export const text = (value: string): string =>
  `X${u32(Buffer.byteLength(value))}${Buffer.from(value).toString('latin1')}`;
export const u32 = (value: number): string => Buffer.from(Uint32Array.of(value).buffer).toString('latin1');
export const int = (value: number): string => `J${Buffer.from(Int32Array.of(value).buffer).toString('latin1')}`;
export const tuple = (...items: string[]): string => `(${items.join('')}t`;
export const global = (module: string, name: string): string => `c${module}\n${name}\n`;
export const call = (callable: string, ...args: string[]): string => `${callable}${tuple(...args)}R`;
export const dict = (entries: Readonly<Record<string, string>>): string =>
  `}(${Object.entries(entries)
    .map(([key, value]) => text(key) + value)
    .join('')}u`;
export const pickle = (value: string, protocol = 2): Uint8Array =>
  new Uint8Array(Buffer.from(`\x80${String.fromCharCode(protocol)}${value}.`, 'latin1'));

export interface TestTensor {
  readonly key?: string;
  readonly storage?: string;
  readonly elements?: number;
  readonly offset?: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

export const storage = ({
  key = '0',
  storage: type = 'FloatStorage',
  elements = 4,
}: Omit<TestTensor, 'shape' | 'stride'>): string =>
  `${tuple(text('storage'), global('torch', type), text(key), text('cpu'), int(elements))}Q`;

/** A tensor as `_rebuild_tensor_v2` makes it. */
export function tensor(options: TestTensor): string {
  const { offset = 0, shape, stride } = options;
  const list = (values: readonly number[]) => tuple(...values.map(int));
  const hooks = `${global('collections', 'OrderedDict')})R`;
  const parts = [storage(options), int(offset), list(shape), list(stride), '\x89', hooks];
  return call(global('torch._utils', '_rebuild_tensor_v2'), ...parts);
}

/** A file in PyTorch's zip format. */
export function torchZip(
  data: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = { 0: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) },
  notes: Readonly<Record<string, string>> = { byteorder: 'little', version: '3\n' },
): Uint8Array {
  const entries = Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, data: bytes }));
  const texts = Object.entries(notes).map(([name, value]) => ({ name: `archive/${name}`, data: Buffer.from(value) }));
  return testZip([{ name: 'archive/data.pkl', data }, ...texts, ...entries]);
}
