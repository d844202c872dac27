// Completes package-lock.json with the builds for other platforms that npm leaves out when the registry at hand does not
// serve them (`npm ci` then refuses the lockfile everywhere). Run it after every `npm install PACKAGE`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/process.mjs';

const path = join(root, 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));

const OS = /(?:^|[-/])(android|darwin|freebsd|linux|openharmony|win32)(?:-|$)/;
const CPU = /-(arm64|x64|ia32|ppc64|riscv64|s390x|arm)(?:-|$)/;

/** `@scope/binding-linux-arm64-musl` says which platform it is for. */
function platformOf(name) {
  const os = OS.exec(name)?.[1];
  const cpu = CPU.exec(name)?.[1];
  const libc = os !== 'linux' ? null : /musl/.test(name) ? 'musl' : /gnu/.test(name) ? 'glibc' : null;
  return { ...(os ? { os: [os] } : {}), ...(cpu ? { cpu: [cpu] } : {}), ...(libc ? { libc: [libc] } : {}) };
}

let added = 0;
for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || lock.packages[`${place}/node_modules/${name}`]) continue;
    const platform = platformOf(name);
    if (!platform.os) throw new Error(`${name} is missing from the lockfile and its name says no platform.`);
    lock.packages[`node_modules/${name}`] = {
      version,
      ...platform,
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} builds for other platforms added`);
