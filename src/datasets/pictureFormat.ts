export type PictureFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff' | 'avif';

/** The formats that pictures of users may have, for messages. */
export const PICTURE_FORMATS = 'JPEG, PNG, GIF, WebP, TIFF or AVIF';

const MAGIC: readonly (readonly [magic: string, offset: number, format: PictureFormat])[] = [
  ['\xff\xd8\xff', 0, 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 0, 'png'],
  ['GIF87a', 0, 'gif'],
  ['GIF89a', 0, 'gif'],
  ['WEBP', 8, 'webp'],
  ['II*\0', 0, 'tiff'],
  ['MM\0*', 0, 'tiff'],
  ['ftypavif', 4, 'avif'],
];

/**
 * The format by the first bytes; null for anything else. The decoder knows many more formats, SVG among them, which draws
 * text, opens files and takes as much time as its author likes: only what is listed here may reach it.
 */
export function pictureFormat(bytes: Uint8Array): PictureFormat | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.byteLength)).toString('latin1');
  return MAGIC.find(([magic, offset]) => head.startsWith(magic, offset))?.[2] ?? null;
}
