import type { Dispatch } from './dispatch.js';
import type { Program } from './engine.js';

const SCALARS = { f32: 'f32', f16: 'f16', u32: 'u32' } as const;
const VECTORS = { f32: 'vec4f', f16: 'vec4h', u32: 'vec4u' } as const;

/**
 * The program of a dispatch with the types in which its tensors are stored. Kernels declare binding i as `array<Ti>` or
 * `array<Vi>` (four elements), load through `f32(...)` or `vec4f(...)` and store through `Ti(...)` or `Vi(...)`; what these
 * names stand for is said here, from the tensors that are bound. One source so serves float32 and float16.
 */
export function withStorageTypes({ program, bindings }: Pick<Dispatch, 'program' | 'bindings'>): Program {
  const enables = [...(program.enables ?? [])];
  const aliases: string[] = [];
  bindings.forEach(({ tensor: { dtype } }, index) => {
    // Bytes are read as words and taken apart by the kernel itself.
    if (dtype === 'u8') return;
    if (dtype === 'f16' && !enables.includes('f16')) enables.push('f16');
    aliases.push(`alias T${index} = ${SCALARS[dtype]};`, `alias V${index} = ${VECTORS[dtype]};`);
  });
  const directives = enables.map((name) => `enable ${name};\n`).join('');
  return { ...program, code: `${directives}${aliases.join('\n')}\n${program.code}` };
}
