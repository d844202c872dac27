// `npm run bench:pack [-- FOLDER]`: a folder with everything that the engine's tests and benchmarks need on a bare Linux x86-64
// machine with a GPU driver: Node, Dawn, the built code and Vulkan's loader. Compressed, because Node alone is larger unpacked
// than the folder may be; `run` unpacks it once, beside itself or in the folder for temporary files.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root, runQuietly, SetupError, say } from '../setup/process.mjs';
import { closure } from './files.mjs';
import { linkedLibraries, vulkanLoader } from './libraries.mjs';

const LARGEST_BYTES = 60 * 10 ** 6;
const PROGRAMS = ['main.js', 'coldStart.js'].map((name) => join(root, 'dist', 'bench', name));
const TESTS = join(root, 'dist', 'test', 'kernels');
const DAWN = join('node_modules', 'webgpu');

const RUN = `#!/bin/sh
# ./run bench [--json] [--only NAME]... [--seed N] [--list]
# ./run test [PART OF A TEST FILE'S NAME]...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$here/unpacked-@HASH@
if [ ! -d "$place" ] && [ ! -w "$here" ]; then
  place=\${TMPDIR:-/tmp}/graft-bench-@HASH@-$(id -u)
fi
if [ ! -d "$place" ]; then
  echo "Unpacking into $place (once) ..." >&2
  new=$place.$$
  mkdir -p "$new"
  gzip -dc "$here/content.tar.gz" | tar -xf - -C "$new"
  mv "$new" "$place" 2>/dev/null || rm -rf "$new"
fi
LD_LIBRARY_PATH=$place/vulkan\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# The machine's own C++ library where it has one: its GPU driver may need it as new as it is.
if ! "$place/node" --version >/dev/null 2>&1; then
  LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$place/libraries
fi
if [ -z "\${XDG_RUNTIME_DIR:-}" ]; then
  XDG_RUNTIME_DIR=$(mktemp -d)
  export XDG_RUNTIME_DIR
  trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
fi
cd "$place"
case "\${1:-}" in
  bench)
    shift
    ./node dist/bench/main.js "$@" ;;
  test)
    shift
    files=
    for file in dist/test/kernels/*.test.js; do
      if [ $# -eq 0 ]; then files="$files $file"; fi
      for part in "$@"; do
        case "$file" in *"$part"*) files="$files $file" ;; esac
      done
    done
    if [ -z "$files" ]; then echo "No test file has $* in its name." >&2; exit 2; fi
    ./node --test --test-concurrency=1 $files ;;
  *)
    echo "./run bench [--json] [--only NAME]... [--seed N] [--list]" >&2
    echo "./run test [PART OF A TEST FILE'S NAME]..." >&2
    exit 2 ;;
esac
`;

const inPeers = (path) => path.includes(join('bench', 'peers'));

/** The benchmark and the kernels' tests with all that they import; says which tests need packages that are not packed. */
function programFiles() {
  const files = new Set(PROGRAMS.flatMap((program) => [...closure(program, (path) => !inPeers(path)).files]));
  for (const name of readdirSync(TESTS).filter((entry) => entry.endsWith('.test.js'))) {
    const test = closure(join(TESTS, name), () => true);
    const missing = [...test.packages].filter((specifier) => specifier !== 'webgpu');
    if (missing.length > 0)
      say(`test/kernels/${name.replace(/js$/, 'ts')} is left out: it needs ${missing.join(', ')}.`);
    else for (const file of test.files) files.add(file);
  }
  return files;
}

function fill(content, env) {
  const copy = (from, to) => {
    mkdirSync(dirname(join(content, to)), { recursive: true });
    cpSync(from, join(content, to));
  };
  for (const file of programFiles()) copy(file, relative(root, file));
  writeFileSync(join(content, 'package.json'), '{ "type": "module" }\n');
  for (const name of ['index.js', 'package.json', 'LICENSE.md']) copy(join(root, DAWN, name), join(DAWN, name));
  const dawn = join(DAWN, 'dist', 'linux-x64', 'dawn.node');
  copy(join(root, dawn), dawn);
  copy(process.execPath, 'node');
  for (const program of ['node', dawn]) {
    // Without strip the folder is some megabytes larger.
    runQuietly('strip', [join(content, program)]);
    for (const [name, path] of linkedLibraries(join(content, program))) copy(path, join('libraries', name));
  }
  chmodSync(join(content, 'node'), 0o755);
  copy(vulkanLoader(env), join('vulkan', 'libvulkan.so.1'));
}

/** Makes the folder, anew where there is one of an earlier pack, and returns its size. */
export function pack(target, env) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      'npm run bench:pack packs for Linux on x86-64 what is installed here, so it runs on such a machine.',
    );
  }
  const folder = resolve(target);
  if (existsSync(folder) && readdirSync(folder).length > 0 && !existsSync(join(folder, 'content.tar.gz'))) {
    throw new SetupError(`${folder} has other files in it: name an empty folder or a new one.`);
  }
  const content = mkdtempSync(join(tmpdir(), 'graft-pack-'));
  try {
    fill(content, env);
    const tar = join(content, '..', `${content.split('/').at(-1)}.tar`);
    try {
      const { code, stderr } = runQuietly('tar', ['-cf', tar, '-C', content, '.']);
      if (code !== 0) throw new SetupError(`tar could not pack: ${stderr}`);
      const packed = gzipSync(readFileSync(tar), { level: 9 });
      const hash = createHash('sha256').update(packed).digest('hex').slice(0, 12);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'content.tar.gz'), packed);
      writeFileSync(join(folder, 'run'), RUN.replaceAll('@HASH@', hash), { mode: 0o755 });
    } finally {
      rmSync(tar, { force: true });
    }
  } finally {
    rmSync(content, { recursive: true, force: true });
  }
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  if (bytes > LARGEST_BYTES)
    throw new SetupError(`The folder has ${bytes} bytes; at most ${LARGEST_BYTES} are allowed.`);
  say(`${folder}: ${(bytes / 1e6).toFixed(1)} MB. Copy it to the machine, then: ./run bench, ./run test`);
}
