import type { Border } from './framedCopy.js';

/** How a loop of the target meets the source: index by index, shifted by `start`, or only at every `step`-th place. */
export type LoopKind = 'whole' | 'shifted' | 'stepped';

/**
 * WGSL of a copy that writes every element of the target from its place in the source. Along a loop, index i of the target meets
 * index (i - start) / step of the source, if that is an integer in 0 .. limit - 1; elsewhere the target gets `fill`, the nearest
 * element of the source (edge), the one mirrored at the outermost element (reflect) or the source over again (wrap). Loops are unrolled, because a software
 * adapter reads a uniform at a constant index once for all lanes, and else lane by lane.
 */
export function framedSource(
  kinds: readonly LoopKind[],
  border: Border,
  quads: boolean,
  sizes: readonly number[],
): string {
  const loops = kinds.map((kind, axis) => {
    const [from, to] = ['y', 'z'].map((part) => `p.loops[${2 * axis}].${part}`);
    // Where every element is divided for, by a constant of the program.
    const size = quads ? `p.loops[${2 * axis}].x` : sizes[axis];
    const [start, step, last] = ['w', 'x', 'y'].map((part, i) => `p.loops[${2 * axis + (i === 0 ? 0 : 1)}].${part}`);
    const split = axis === 0 ? 'index = rest;' : `next = rest / ${size}; index = rest - next * ${size}; rest = next;`;
    return `${split}
  target_at += index * ${to};
  ${placed(kind, border, { start: start as string, step: step as string, last: last as string })}
  source += at * ${from};`;
  });
  const kind = quads ? 'V' : 'T';
  const value = border === 'constant' && kinds.some((each) => each !== 'whole');
  return `struct Parameters { count: u32, fill: f32, unused0: u32, unused1: u32, loops: array<vec4i, 12> }
@group(0) @binding(0) var<storage, read> source_: array<${kind}0>;
@group(0) @binding(1) var<storage, read_write> target_: array<${kind}1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  var rest = i32(i);
  var next = 0;
  var index = 0;
  var at = 0;
  var source = 0;
  var target_at = 0;
  var isInside = true;
  ${loops.reverse().join('\n  ')}
  ${value ? `var value = ${kind}1(${quads ? 'vec4f(p.fill)' : 'p.fill'});\n  if (isInside) {\n    value = ${kind}1(source_[source]);\n  }` : `let value = ${kind}1(source_[source]);`}
  target_[target_at] = value;
}`;
}

function placed(kind: LoopKind, border: Border, p: { start: string; step: string; last: string }): string {
  if (kind === 'whole') return 'at = index;';
  const distance = `index - ${p.start}`;
  if (border === 'edge') return `at = clamp(${distance}, 0, ${p.last});`;
  if (border === 'reflect') return `at = ${p.last} - abs(${p.last} - abs(${distance}));`;
  if (border === 'wrap') return `at = (${distance}) % (${p.last} + 1); at += select(0, ${p.last} + 1, at < 0);`;
  if (kind === 'shifted') return `at = ${distance}; isInside = isInside && at >= 0 && at <= ${p.last};`;
  return `at = (${distance}) / ${p.step}; isInside = isInside && at * ${p.step} == ${distance} && at >= 0 && at <= ${p.last};`;
}
