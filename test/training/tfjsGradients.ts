import { register } from 'node:module';

/**
 * tfjs-core's Node bundle leaves out the gradients of its kernels; they are in the package as ES modules written for bundlers,
 * whose relative imports have no file extension. This hook completes those of that one package. Both copies of the library
 * share one registry and one engine through globals.
 */
const hook = `
export async function resolve(specifier, context, next) {
  const inPackage = context.parentURL?.includes('/@tensorflow/tfjs-core/dist/');
  if (inPackage && specifier.startsWith('.')) {
    for (const ending of ['.js', '/index.js']) {
      try {
        return { ...(await next(specifier + ending, context)), format: 'module' };
      } catch {}
    }
  }
  const resolved = await next(specifier, context);
  return resolved.url.endsWith('/tfjs-core/dist/register_all_gradients.js') ? { ...resolved, format: 'module' } : resolved;
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`, import.meta.url);

/** Resolves once tfjs can differentiate. */
export const gradientsRegistered: Promise<unknown> = import(
  '@tensorflow/tfjs-core/dist/register_all_gradients.js' as string
);
