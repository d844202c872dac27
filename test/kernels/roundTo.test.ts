import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FLOATS, INTEGERS, type NumberType } from '../../src/kernels/ops/roundTo/numberTypes.js';
import { roundTo, type RoundToAttributes } from '../../src/kernels/ops/roundTo/roundTo.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);

/** All finite values of a type of up to 16 bits from their definition, with the parity of their code, smallest first. */
function finiteValues(type: keyof typeof FLOATS): { value: number; isEven: boolean }[] {
  const { exponent, fraction, bias, largest } = FLOATS[type];
  const values: { value: number; isEven: boolean }[] = [];
  for (let code = 0; code < 2 ** (exponent + fraction); code++) {
    const [e, f] = [code >> fraction, code % 2 ** fraction];
    const value = e === 0 ? f * 2 ** (1 - bias - fraction) : (1 + f / 2 ** fraction) * 2 ** (e - bias);
    if (value <= largest) values.push({ value, isEven: code % 2 === 0 });
  }
  return values;
}

/** The nearest of them by search; where two are, the even one; beyond the largest by half a step: out of range. */
function nearest(values: { value: number; isEven: boolean }[], magnitude: number): number | null {
  let [low, high] = [0, values.length - 1];
  const last = values[high] as { value: number; isEven: boolean };
  const beyond = 2 * last.value - (values[high - 1]?.value as number);
  if (magnitude > last.value) {
    const toLast = magnitude - last.value;
    const toBeyond = beyond - magnitude;
    return toLast < toBeyond || (toLast === toBeyond && last.isEven) ? last.value : null;
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((values[middle]?.value as number) <= magnitude) low = middle;
    else high = middle;
  }
  const [below, above] = [values[low], values[high]] as [(typeof values)[0], (typeof values)[0]];
  const [down, up] = [magnitude - below.value, above.value - magnitude];
  if (down === up) return below.isEven ? below.value : above.value;
  return down < up ? below.value : above.value;
}

function roundedFloat(
  type: keyof typeof FLOATS,
  values: ReturnType<typeof finiteValues>,
  x: number,
  saturate: boolean,
) {
  const { largest, infinity, nan, negativeZero } = FLOATS[type];
  if (Number.isNaN(x)) return nan ? Number.NaN : 0;
  const sign = Object.is(x, -0) || x < 0 ? -1 : 1;
  const found = Number.isFinite(x) ? nearest(values, Math.abs(x)) : null;
  if (found !== null) return found === 0 && !negativeZero ? 0 : sign * found;
  const saturates = (saturate && type !== 'float16' && type !== 'bfloat16') || (!infinity && !nan);
  if (saturates) return sign * largest;
  return infinity ? sign * Number.POSITIVE_INFINITY : Number.NaN;
}

const SPECIAL = [
  0,
  -0,
  Number.NaN,
  Infinity,
  -Infinity,
  1e6,
  -1e6,
  3.4e38,
  448,
  464,
  480,
  240,
  248,
  57344,
  61440,
  65504,
  65520,
  1e-40,
];

describe(`rounding to number types, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());

  async function run(
    values: readonly number[],
    attributes: Omit<RoundToAttributes, 'powers'> & Partial<RoundToAttributes>,
  ) {
    const { engine } = opened.families[0] as FamilyEngine;
    const b = new PlanBuilder(engine);
    const x = b.input('x', [values.length], { layout: 'dense' });
    b.output('y', roundTo(b, x, { powers: 'up', ...attributes }));
    const plan = await b.compile({ poison: true });
    const { y } = (await plan.run({ x: Float32Array.from(values) })()) as { y: Float32Array };
    plan.dispose();
    return [...y];
  }

  for (const type of Object.keys(FLOATS) as (keyof typeof FLOATS)[]) {
    test(type, async () => {
      const values = finiteValues(type);
      const halves = values.slice(0, 4096).map(({ value }, i) => (value + (values[i + 1]?.value ?? value)) / 2);
      const spread = Array.from({ length: 2000 }, () => {
        const { value } = values[Math.floor(random() * values.length)] as { value: number };
        return Math.fround((random() < 0.5 ? -1 : 1) * value * (0.9 + 0.2 * random()));
      });
      const given = [...SPECIAL, ...values.slice(0, 4096).map(({ value }) => -value), ...halves, ...spread].map(
        Math.fround,
      );
      for (const saturate of [true, false]) {
        const actual = await run(given, { type, saturate });
        const expected = given.map((x) => roundedFloat(type, values, x, saturate));
        actual.forEach((value, i) => {
          assert.ok(
            Object.is(value, expected[i]),
            `${type} of ${given[i]}: ${value} instead of ${expected[i]} (saturate ${saturate})`,
          );
        });
      }
    });
  }

  test('integer types: towards zero, then modulo 2^bits or the nearest in range', async () => {
    const given = [
      ...Array.from({ length: 400 }, () => Math.fround(2e5 * random() - 1e5)),
      0.9,
      -0.9,
      127.9,
      -128.9,
      255.5,
      256,
    ];
    for (const [type, { bits, signed }] of Object.entries(INTEGERS)) {
      const [least, most] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
      const wide = bits > 16;
      const wrapped = (x: number) => {
        const whole = BigInt(Math.trunc(x));
        return Number(signed ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole));
      };
      const inRange = (x: number) => Math.trunc(Math.max(least, Math.min(most, x)));
      const guarded = (x: number) => (Math.trunc(x) < 0 && !signed ? Number.NaN : Math.trunc(x));
      const plain = (values: number[]) => values.map((value) => value + 0);
      const type_ = type as NumberType;
      assert.deepEqual(
        plain(await run(given, { type: type_, saturate: false })),
        plain(given.map(wide ? guarded : wrapped)),
        type,
      );
      if (!wide)
        assert.deepEqual(plain(await run(given, { type: type_, saturate: true })), plain(given.map(inRange)), type);
    }
  });

  test('integers that float32 does not tell apart become NaN', async () => {
    const actual = await run([2 ** 24, -(2 ** 24), 2 ** 24 + 2, 1e30, Number.NaN], { type: 'int64', saturate: false });
    assert.deepEqual(actual, [2 ** 24, -(2 ** 24), Number.NaN, Number.NaN, Number.NaN]);
  });

  test('truth values', async () => {
    assert.deepEqual(await run([0, -0, 0.25, -3, Number.NaN], { type: 'bool', saturate: true }), [0, 0, 1, 1, 1]);
  });

  test('powers of two', async () => {
    const given = [1, 1.1, 1.5, 1.9, 0.124, 0, 2 ** -126, 3e38, -1, Number.NaN];
    const tiny = 2 ** -127;
    const type = 'float8e8m0';
    assert.deepEqual(await run(given, { type, saturate: true, powers: 'up' }), [
      1,
      2,
      2,
      2,
      0.125,
      tiny,
      2 ** -126,
      2 ** 127,
      Number.NaN,
      Number.NaN,
    ]);
    assert.deepEqual(await run(given, { type, saturate: false, powers: 'down' }), [
      1,
      1,
      1,
      1,
      0.0625,
      tiny,
      2 ** -126,
      2 ** 127,
      Number.NaN,
      Number.NaN,
    ]);
    assert.deepEqual(await run(given, { type, saturate: false, powers: 'nearest' }), [
      1,
      1,
      2,
      2,
      0.125,
      tiny,
      2 ** -126,
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
  });

  test('the gradient of a float type passes, integers have none', async () => {
    const { engine } = opened.families[0] as FamilyEngine;
    const b = new PlanBuilder(engine);
    const x = b.input('x', [4], { layout: 'dense', requiresGradient: true });
    const y = roundTo(b, x, { type: 'float16', saturate: true, powers: 'up' });
    const upstream = b.input('upstream', [4], { layout: 'dense' });
    assert.equal(b.backward(y, upstream).get(x), upstream);
    assert.equal(roundTo(b, x, { type: 'int8', saturate: true, powers: 'up' }).requiresGradient, false);
  });
});
