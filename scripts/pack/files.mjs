// Which built files and packages a program needs: the closure of its imports.
import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { parseSync } from 'oxc-parser';

/** `sharp` decodes pictures by a native library of its own; the one workload that imports it says so and is left out. */
const OPTIONAL = new Set(['sharp']);

function importsOf(path) {
  const code = readFileSync(path, 'utf8');
  const { module } = parseSync(path, code);
  const text = ({ start, end }) => code.slice(start, end);
  return [
    ...module.staticImports.map(({ moduleRequest }) => ({ specifier: moduleRequest.value, isLazy: false })),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => (moduleRequest ? { specifier: moduleRequest.value, isLazy: false } : [])),
    ),
    ...module.dynamicImports.flatMap(({ moduleRequest }) => {
      const literal = /^(['"])(.*)\1$/.exec(text(moduleRequest));
      return literal ? [{ specifier: literal[2], isLazy: true }] : [];
    }),
  ];
}

/** Files that `entry` imports, itself included, and the packages among its imports. Lazy imports count where `lazy` says so. */
export function closure(entry, lazy) {
  const files = new Set();
  const packages = new Set();
  const visit = (path) => {
    if (files.has(path)) return;
    files.add(path);
    for (const { specifier, isLazy } of importsOf(path)) {
      if (specifier.startsWith('.')) {
        const target = join(dirname(path), specifier);
        if ((!isLazy || lazy(target)) && existsSync(target)) visit(target);
      } else if (!specifier.startsWith('node:') && !builtinModules.includes(specifier) && !OPTIONAL.has(specifier)) {
        packages.add(specifier);
      }
    }
  };
  visit(entry);
  return { files, packages };
}
