/** A file as NumPy writes it: magic, version, length of the header, header, data. */
export function npy(
  descr: string,
  shape: string,
  data: Uint8Array,
  { version = 1, fortran = 'False' } = {},
): Uint8Array {
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
  const prefix = version === 1 ? 10 : 12;
  const header = `${dict.padEnd(Math.ceil((prefix + dict.length + 1) / 64) * 64 - prefix - 1)}\n`;
  const bytes = new Uint8Array(prefix + header.length + data.length);
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, header.length, true);
  else view.setUint32(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), prefix);
  bytes.set(data, prefix + header.length);
  return bytes;
}

/** An array of float32. */
export const floatArray = (shape: readonly number[], data: Float32Array): Uint8Array =>
  npy('<f4', `(${shape.join(', ')},)`, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
