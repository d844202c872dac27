/** Reflected form of the polynomial of CRC-32 (ISO 3309, as in APPNOTE.TXT 4.4.7). */
const POLYNOMIAL = 0xedb88320;

/**
 * Table k holds the remainders of a byte with k zero bytes behind it, so that four bytes take four look-ups and no chain
 * ("slicing by four": Kounavis and Berry, "A Systematic Approach to Building High Performance, Software-based, CRC
 * Generators", 2005).
 */
const TABLES: readonly Uint32Array[] = (() => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    return value;
  });
  const tables = [first];
  for (let k = 1; k < 4; k++) {
    tables.push(
      Uint32Array.from(tables[k - 1] as Uint32Array, (value) => (value >>> 8) ^ (first[value & 0xff] as number)),
    );
  }
  return tables;
})();

/** The CRC-32 of bytes, as zip archives have it. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = -1;
  let index = 0;
  for (const end = bytes.length - 3; index < end; index += 4) {
    crc ^=
      (bytes[index] as number) |
      ((bytes[index + 1] as number) << 8) |
      ((bytes[index + 2] as number) << 16) |
      ((bytes[index + 3] as number) << 24);
    crc =
      (t3[crc & 0xff] as number) ^
      (t2[(crc >>> 8) & 0xff] as number) ^
      (t1[(crc >>> 16) & 0xff] as number) ^
      (t0[crc >>> 24] as number);
  }
  for (; index < bytes.length; index++) {
    crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[index] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
