// Makes sure that a WebGPU adapter answers. Changes nothing where one does; on Linux it can install Mesa's software
// Vulkan driver (lavapipe). The environment that the children need is returned, not set globally.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installSystemDriver, newerMesaCommand, systemInstallCommand } from './aptDriver.mjs';
import { runQuietly, SetupError, say } from './process.mjs';
import { unpackDriver } from './userDriver.mjs';

/** Where the driver is unpacked when nobody may install it system-wide. */
export function userDriverFolder() {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'graft', 'mesa');
}

/** Drivers read XDG_RUNTIME_DIR, warn without it, and want it private. */
function withRuntimeFolder(env) {
  if (process.platform !== 'linux' || env.XDG_RUNTIME_DIR) return env;
  const folder = mkdtempSync(join(tmpdir(), 'graft-runtime-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { ...env, XDG_RUNTIME_DIR: folder };
}

function withUserDriver(env) {
  const icd = join(userDriverFolder(), 'lvp_icd.json');
  if (!existsSync(icd)) return null;
  // Some packages of Debian 12 put libraries into /lib, others into /usr/lib.
  const libraries = ['usr/lib', 'lib'].flatMap((place) => {
    const folder = join(userDriverFolder(), place);
    const machines = existsSync(folder) ? readdirSync(folder) : [];
    return machines.filter((name) => name.endsWith('-linux-gnu')).map((name) => join(folder, name));
  });
  return {
    ...env,
    VK_DRIVER_FILES: icd,
    LD_LIBRARY_PATH: [...libraries, ...(env.LD_LIBRARY_PATH ? [env.LD_LIBRARY_PATH] : [])].join(':'),
  };
}

function probe(env) {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'probe.mjs');
  const { code, stdout, stderr } = runQuietly(process.execPath, [script], { env, timeout: 60_000 });
  try {
    const { adapter } = JSON.parse(stdout.trim().split('\n').at(-1));
    return { adapter, why: stderr.trim() };
  } catch {
    return { adapter: null, why: stderr.trim() || `the probe ended with ${code}` };
  }
}

/** Dawn's own words; the lines below them tell where in its source they stand. */
function reason(why) {
  const line = why.split('\n').find((text) => /^(Warning|Error)/.test(text)) ?? why.split('\n')[0];
  return line ? ` (${line.replace(/^\w+: /, '').replace(/\.$/, '')})` : '';
}

function describe(adapter) {
  const kind = adapter.isSoftware ? 'software adapter' : 'GPU';
  return `${adapter.description || `${adapter.vendor} ${adapter.architecture}`} (${kind})`;
}

/** The environment in which an adapter answers: this one, or the one with the driver unpacked earlier. */
export function findAdapter() {
  const env = withRuntimeFolder(process.env);
  const first = probe(env);
  if (first.adapter) return { env, ...first };
  const userEnv = process.platform === 'linux' ? withUserDriver(env) : null;
  if (userEnv) {
    const second = probe(userEnv);
    if (second.adapter) return { env: userEnv, ...second };
    return { env, ...second };
  }
  return { env, ...first };
}

/** Returns the environment for the children, or throws `SetupError` with the one command to type. */
export async function ensureAdapter({ verbose = false } = {}) {
  let found = findAdapter();
  if (!found.adapter) {
    say('No WebGPU adapter answers.');
    if (process.platform !== 'linux') {
      throw new SetupError(
        `No WebGPU adapter answers${reason(found.why)}. ${
          process.platform === 'win32'
            ? 'Install the GPU driver of the maker (Intel, AMD, NVIDIA), then try again.'
            : 'Graft needs a Mac with Metal.'
        }`,
      );
    }
    const installed = installSystemDriver() || unpackDriver(userDriverFolder());
    if (installed) found = findAdapter();
    if (!found.adapter) {
      const command = (installed && newerMesaCommand()) || systemInstallCommand();
      throw new SetupError(
        `No WebGPU adapter answers${reason(found.why)}. ${installed ? 'The driver that was installed does not suit; ' : ''}install Mesa's Vulkan driver (24 or newer) with this one command, then try again:\n\n  ${command}\n`,
      );
    }
  }
  if (verbose) say(`WebGPU adapter: ${describe(found.adapter)}`);
  return found.env;
}
