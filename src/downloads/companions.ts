/** JSON files that name others are small; a larger one is something else. */
const MAX_BYTES = 64 * 2 ** 20;
const MAX_FILES = 1000;

function parse(bytes: Uint8Array): Record<string, unknown> | null {
  if (bytes.length > MAX_BYTES) return null;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** A path below a folder, without a way out of it. */
function isInside(path: unknown): path is string {
  return (
    typeof path === 'string' &&
    path.length > 0 &&
    path.length < 500 &&
    !/^[/\\]|\\|:|\p{Cc}|[?#]/u.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/**
 * Files that a model's JSON file names and that lie beside it: the shards of a TF.js model (`weightsManifest`) and of safetensors
 * (`weight_map` of the index). Empty for every other file.
 */
export function namedCompanions(bytes: Uint8Array): string[] {
  if (bytes[0] !== 0x7b) return [];
  const json = parse(bytes);
  const manifest = Array.isArray(json?.weightsManifest) ? (json.weightsManifest as { paths?: unknown }[]) : [];
  const shards = manifest.flatMap((group) => (Array.isArray(group?.paths) ? (group.paths as unknown[]) : []));
  const map = json?.weight_map;
  const mapped = map !== null && typeof map === 'object' ? Object.values(map) : [];
  return [...new Set([...shards, ...mapped])].filter(isInside).slice(0, MAX_FILES);
}
