import type { Load, Peer } from './peer.js';

/**
 * The engines to compare with, by the name that the report has for them. Each is loaded where it is used, in a process of its own:
 * what it imports may not be there.
 */
export const PEERS = {
  'tfjs-webgpu': async (load: Load): Promise<Peer> => (await import('./tfjs.js')).openTfjs(load, 'webgpu'),
  'jax-js-webgpu': async (load: Load): Promise<Peer> => (await import('./jax.js')).openJax(load),
  'tfjs-wasm': async (load: Load): Promise<Peer> => (await import('./tfjs.js')).openTfjs(load, 'wasm'),
  'onnxruntime-cpu': async (load: Load): Promise<Peer> => (await import('./onnxruntime.js')).openOnnxRuntime(load),
};
export type PeerName = keyof typeof PEERS;
export const PEER_NAMES = Object.keys(PEERS) as PeerName[];
