// The shared libraries that a bare machine may lack.
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly, SetupError } from '../setup/process.mjs';

/** glibc is the machine's own: every Linux that Node's binaries run on has it. */
const GLIBC = /^(linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt)[.-]/;

/** Libraries beside glibc that a program is linked to, by name. */
export function linkedLibraries(program) {
  const { stdout } = runQuietly('ldd', [program]);
  const found = new Map();
  for (const line of stdout.split('\n')) {
    const [, name, path] = /^\s*(\S+) => (\/\S+)/.exec(line) ?? [];
    if (name && !GLIBC.test(name)) found.set(name, realpathSync(path));
  }
  return found;
}

/** Vulkan's loader, which finds the machine's driver. */
export function vulkanLoader(env) {
  const name = 'libvulkan.so.1';
  for (const folder of (env.LD_LIBRARY_PATH ?? '').split(':')) {
    if (folder !== '' && existsSync(join(folder, name))) return realpathSync(join(folder, name));
  }
  const { stdout } = runQuietly('ldconfig', ['-p'], { env: { ...env, PATH: `${env.PATH}:/sbin:/usr/sbin` } });
  const line = stdout.split('\n').find((text) => text.includes(`${name} `) && text.includes('x86-64'));
  const path = line?.split('=> ')[1];
  if (!path) throw new SetupError(`There is no ${name} to pack: run npm run setup first.`);
  return realpathSync(path.trim());
}
