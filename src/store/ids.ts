import { randomBytes } from 'node:crypto';

let lastTime = 0;
let counter = 0;

/**
 * A new id: 32 hexadecimal digits that sort by the time of their making (as UUID version 7 does: 48 bits of milliseconds, a
 * counter for ids of one millisecond, 64 random bits), so that an id alone gives a stable order of pages.
 */
export function newId(): string {
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    counter = 0;
  } else if (++counter > 0xffff) {
    lastTime++;
    counter = 0;
  }
  const time = lastTime.toString(16).padStart(12, '0');
  return time + counter.toString(16).padStart(4, '0') + randomBytes(8).toString('hex');
}
