/** What is computed of the operands' elements, four at a time. */
export interface Formula {
  /** The operands' names in `expression`, in their order. */
  readonly names: readonly string[];
  /** WGSL of type vec4f, element by element. */
  readonly expression: string;
  /** WGSL functions that the expression calls. */
  readonly functions?: string;
}

/** How an operand lies under a result in rows: element for element, one value per row, or one per row and image. */
export type PlaneMode = 'same' | 'row' | 'image';

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function combine({ names, expression, functions = '' }: Formula): string {
  return `${functions}
fn combine(${names.map((name) => `${name}: vec4f`).join(', ')}) -> vec4f {
  return ${expression};
}`;
}

function bindings(operands: readonly ('T' | 'V')[], result: 'T' | 'V'): string {
  const count = operands.length;
  return `${operands
    .map((type, i) => `@group(0) @binding(${i}) var<storage, read> operand${i}: array<${type}${i}>;`)
    .join('\n')}
@group(0) @binding(${count}) var<storage, read_write> result: array<${result}${count}>;
@group(0) @binding(${count + 1}) var<uniform> p: Parameters;`;
}

/** All operands lie as the result does: quads of whole buffers, padding of rows included. */
export function equalSource(formula: Formula): string {
  const { length } = formula.names;
  return `struct Parameters { quads: u32 }
${bindings(
  formula.names.map(() => 'V'),
  'V',
)}
${combine(formula)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i < p.quads) {
    result[i] = V${length}(combine(${range(length)
      .map((j) => `vec4f(operand${j}[i])`)
      .join(', ')}));
  }
}`;
}

/**
 * The result in rows, some operands constant over a row or over each image of it. Workgroups in y are rows. `straddles`: a
 * quad may reach into the next image (but no further).
 */
export function planeSource(formula: Formula, modes: readonly PlaneMode[], straddles: boolean): string {
  const { length } = formula.names;
  const perRow = modes.map((mode, i) =>
    mode === 'row' ? `let value${i} = vec4f(f32(operand${i}[id.y * p.rowStride${i}]));` : '',
  );
  const image = `let first = quad * 4u;
    let image = min(first, p.columns - 1u) / p.pixels;
    let next = min(image + 1u, p.images - 1u);
    let isNext = vec4u(0u, 1u, 2u, 3u) + first >= vec4u((image + 1u) * p.pixels);`;
  const perQuad = modes.map((mode, i) => {
    if (mode === 'same') return `let value${i} = vec4f(operand${i}[at]);`;
    if (mode === 'row') return '';
    const value = (which: string) => `vec4f(f32(operand${i}[id.y * p.rowStride${i} + ${which} * p.imageStride${i}]))`;
    return `let value${i} = ${straddles ? `select(${value('image')}, ${value('next')}, isNext)` : value('image')};`;
  });
  return `struct Parameters {
  quadsPerRow: u32, columns: u32, pixels: u32, images: u32,
  ${range(length)
    .map((i) => `rowStride${i}: u32, imageStride${i}: u32,`)
    .join(' ')}
}
${bindings(
  modes.map((mode) => (mode === 'same' ? 'V' : 'T')),
  'V',
)}
${combine(formula)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${perRow.filter(Boolean).join('\n  ')}
  for (var quad = id.x; quad < p.quadsPerRow; quad += groups.x * 64u) {
    let at = id.y * p.quadsPerRow + quad;
    ${modes.includes('image') ? image : ''}
    ${perQuad.filter(Boolean).join('\n    ')}
    result[at] = V${length}(combine(${range(length)
      .map((i) => `value${i}`)
      .join(', ')}));
  }
}`;
}

/** Fields of a walk over `dimensions` loops: sizes, then the strides of the result and of each operand. */
const walkFields = (prefix: string, dimensions: number, tensors: readonly string[]): string =>
  range(dimensions)
    .map((d) => `${prefix}Size${d}: u32, ${tensors.map((tensor) => `${prefix}${tensor}${d}: u32`).join(', ')},`)
    .join('\n  ');

/** Takes `index` apart into `<prefix>At<d>`, the innermost dimension first. */
const decompose = (prefix: string, dimensions: number, index: string): string =>
  range(dimensions)
    .reverse()
    .map((d) => {
      const rest = d === dimensions - 1 ? index : `${prefix}Rest${d + 1}`;
      return d === 0
        ? `let ${prefix}At0 = ${rest};`
        : `let ${prefix}Rest${d} = ${rest} / p.${prefix}Size${d};
  let ${prefix}At${d} = ${rest} - ${prefix}Rest${d} * p.${prefix}Size${d};`;
    })
    .join('\n  ');

const offset = (prefix: string, dimensions: number, tensor: string): string =>
  dimensions === 0
    ? '0u'
    : range(dimensions)
        .map((d) => `${prefix}At${d} * p.${prefix}${tensor}${d}`)
        .join(' + ');

const operandNames = (count: number): string[] => range(count).map((i) => `Operand${i}_`);

/** Any strides: an element of the result per invocation. */
export function stridedSource(formula: Formula, dimensions: number): string {
  const { length } = formula.names;
  const names = operandNames(length);
  return `struct Parameters {
  count: u32,
  ${walkFields('kept', dimensions, ['Result', ...names])}
}
${bindings(
  formula.names.map(() => 'T'),
  'T',
)}
${combine(formula)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  ${decompose('kept', dimensions, 'i')}
  let value = combine(${names.map((name, i) => `vec4f(f32(operand${i}[${offset('kept', dimensions, name)}]))`).join(', ')});
  result[${offset('kept', dimensions, 'Result')}] = T${length}(value.x);
}`;
}

/** The walk over kept and reduced dimensions that both ways to sum have in common. */
function sumParts(formula: Formula, kept: number, reduced: number) {
  const { length } = formula.names;
  const names = operandNames(length);
  return {
    declarations: `struct Parameters {
  count: u32, length: u32,
  ${walkFields('kept', kept, ['Result', ...names])}
  ${walkFields('reduced', reduced, names)}
}
${bindings(
  formula.names.map(() => 'T'),
  'T',
)}
${combine(formula)}`,
    begin: `${decompose('kept', kept, 'i')}
  ${names.map((name, j) => `let start${j} = ${offset('kept', kept, name)};`).join('\n  ')}
  var sum = 0.0;`,
    addend: `${decompose('reduced', reduced, 'r')}
    sum += combine(${names
      .map((name, j) => `vec4f(f32(operand${j}[start${j} + ${offset('reduced', reduced, name)}]))`)
      .join(', ')}).x;`,
    store: (value: string) => `result[${offset('kept', kept, 'Result')}] = T${length}(${value});`,
  };
}

/** Any strides: an element of the result per invocation, the sum of the formula over the reduced dimensions, one by one. */
export function serialSumSource(formula: Formula, kept: number, reduced: number): string {
  const { declarations, begin, addend, store } = sumParts(formula, kept, reduced);
  return `${declarations}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  ${begin}
  for (var r = 0u; r < p.length; r++) {
    ${addend}
  }
  ${store('sum')}
}`;
}

/**
 * Any strides: an element of the result per workgroup, the sum of the formula over the reduced dimensions; lane sums first, then
 * a tree, the same order every time.
 */
export function sumSource(formula: Formula, kept: number, reduced: number): string {
  const { declarations, begin, addend, store } = sumParts(formula, kept, reduced);
  return `// A power of two: one SIMD register on software adapters, where each further one costs a switch at every barrier.
override lanes: u32 = 64u;
${declarations}
var<workgroup> sums: array<f32, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = group.y * groups.x + group.x;
  if (i >= p.count) {
    return;
  }
  ${begin}
  for (var r = lane; r < p.length; r += lanes) {
    ${addend}
  }
  sums[lane] = sum;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    ${store('sums[0]')}
  }
}`;
}
