import { openJax } from './jax.js';
import { openOnnxRuntime } from './onnxruntime.js';
import type { Load, Peer } from './peer.js';
import { openTfjs } from './tfjs.js';

/** The engines to compare with, by the name that the report has for them. */
export const PEERS = {
  'tfjs-webgpu': (load: Load): Promise<Peer> => openTfjs(load, 'webgpu'),
  'jax-js-webgpu': (load: Load): Promise<Peer> => openJax(load),
  'tfjs-wasm': (load: Load): Promise<Peer> => openTfjs(load, 'wasm'),
  'onnxruntime-cpu': (load: Load): Promise<Peer> => openOnnxRuntime(load),
};
export type PeerName = keyof typeof PEERS;
export const PEER_NAMES = Object.keys(PEERS) as PeerName[];
