import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeAdapter } from '../../src/kernels/adapter.js';

/** Names as Dawn gives them. */
const NAMES = [
  ['nvidia', 'ampere', 'NVIDIA GeForce RTX 3060', 'discrete'],
  ['amd', 'rdna-3', 'AMD Radeon RX 7600', 'discrete'],
  ['apple', 'metal-3', 'Apple M2', 'discrete'],
  ['intel', 'gen-12lp', 'Intel(R) Iris(R) Xe Graphics', 'integrated'],
  ['intel', 'xe-hpg', 'Intel(R) Arc(TM) A770 Graphics', 'discrete'],
  ['arm', 'valhall', 'Mali-G78', 'integrated'],
  ['qualcomm', 'adreno-7xx', 'Adreno (TM) 740', 'integrated'],
  ['mesa', 'software', 'llvmpipe (LLVM 15.0.6, 256 bits)', 'software'],
  ['google', 'swiftshader', 'SwiftShader Device (Subzero)', 'software'],
  ['microsoft', '', 'Microsoft Basic Render Driver', 'software'],
] as const;

test('an adapter is told to be software, integrated or discrete by its name', () => {
  for (const [vendor, architecture, description, kind] of NAMES) {
    const info = { vendor, architecture, device: '', description, isFallbackAdapter: false };
    const adapter = { info, limits: { maxBufferSize: 7 }, features: new Set(['subgroups']) };
    const described = describeAdapter(adapter as unknown as GPUAdapter);
    assert.equal(described.kind, kind, description);
    assert.equal(described.isSoftware, kind === 'software', description);
    assert.deepEqual(described.limits, { maxBufferSize: 7 });
  }
});
