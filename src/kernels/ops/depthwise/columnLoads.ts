export interface Columns {
  /** Columns that are loaded of each line. */
  readonly count: number;
  /** WGSL of the column at which a strip begins, a multiple of four where `quads`; column e is loaded from there + e + `offset`. */
  readonly begin: string;
  readonly offset: number;
  /** Lines are whole quads, and so is `begin`: quads are loaded as such, what is missing of them one by one. */
  readonly quads: boolean;
  /** WGSL of the number of columns. */
  readonly width: string;
  /** The tensor, as `array<V...>` where `quads`, else as `array<T...>`. */
  readonly tensor: string;
  /** What lies outside of the picture; zero without. */
  readonly outside?: number;
  /** A statement that keeps what was loaded of column e. */
  readonly keep: (e: number, value: string) => string;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
export const AXES = ['x', 'y', 'z', 'w'];

/**
 * How the columns of a line come in that a strip needs: `places` once for each strip, `loads` for each line, from element `base`,
 * all of it outside where `onY` is false.
 */
export function columnLoads(columns: Columns): { places: string[]; loads: string[] } {
  const { count, begin, offset, quads, width, tensor, outside = 0, keep } = columns;
  const fill = `f32(${outside})`;
  if (!quads) {
    return {
      places: range(count).map(
        (e) => `let x${e} = ${begin} + ${e + offset};
    let on${e} = x${e} >= 0 && x${e} < ${width};
    let at${e} = clamp(x${e}, 0, ${width} - 1);`,
      ),
      loads: range(count).map((e) => keep(e, `select(${fill}, f32(${tensor}[base + at${e}]), onY && on${e})`)),
    };
  }
  const placed = range(count).map((e) => ({
    e,
    shift: Math.floor((e + offset) / 4),
    axis: AXES[(((e + offset) % 4) + 4) % 4] as string,
  }));
  const shifts = [...new Set(placed.map(({ shift }) => shift))];
  const name = (shift: number) => (shift < 0 ? `m${-shift}` : `p${shift}`);
  return {
    places: shifts.map(
      (shift) => `let q${name(shift)} = ${begin} / 4 + ${shift};
    let on${name(shift)} = q${name(shift)} >= 0 && q${name(shift)} < ${width} / 4;
    let at${name(shift)} = clamp(q${name(shift)}, 0, ${width} / 4 - 1);`,
    ),
    loads: shifts.flatMap((shift) => {
      const own = placed.filter((column) => column.shift === shift);
      const place = `${tensor}[base / 4 + at${name(shift)}]`;
      const isOn = `onY && on${name(shift)}`;
      // One number of a quad is cheaper by itself.
      if (own.length === 1) return own.map(({ e, axis }) => keep(e, `select(${fill}, f32(${place}.${axis}), ${isOn})`));
      return [
        `let quad_${name(shift)} = select(vec4f(${fill}), vec4f(${place}), ${isOn});`,
        ...own.map(({ e, axis }) => keep(e, `quad_${name(shift)}.${axis}`)),
      ];
    }),
  };
}
