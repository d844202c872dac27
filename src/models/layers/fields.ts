import type { JsonReader } from '../jsonReader.js';
import { LIMITS } from '../limits.js';

/** What a weight is to its layer. Statistics are not trained, training updates them. */
export type WeightRole = 'weight' | 'bias' | 'runningMean' | 'runningVariance';

/**
 * One field of a kind of layer: reads it from JSON, or from a layer in memory, and checks it. Throws INVALID_NETWORK. `role` marks
 * fields that name a weight.
 */
export interface Field<T> {
  read(json: JsonReader): T;
  readonly role?: WeightRole;
}

/** An integer in least..most. */
export const integer = (least: number, most: number): Field<number> => ({
  read(json) {
    const { value } = json;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    return json.fail(`an integer from ${least} to ${most}`);
  },
});

/** A finite number that `isAllowed`; `allowed` says which are. */
export const number = (isAllowed: (value: number) => boolean, allowed: string): Field<number> => ({
  read(json) {
    const { value } = json;
    return typeof value === 'number' && Number.isFinite(value) && isAllowed(value) ? value : json.fail(allowed);
  },
});

export const anyNumber = number(() => true, 'a finite number');
export const atLeastZero = number((value) => value >= 0, 'a number of at least 0');
export const positive = number((value) => value > 0, 'a number above 0');
export const flag: Field<boolean> = { read: (json) => json.boolean() };

export const oneOf = <T extends string>(...allowed: readonly T[]): Field<T> => ({
  read: (json) => json.oneOf(...allowed),
});

export const orNull = <T>(field: Field<T>): Field<T | null> => ({
  ...field,
  read: (json) => json.nullable((inner) => field.read(inner)),
});

/** A field that older files do not have. */
export const added = <T>(field: Field<T>, otherwise: T): Field<T> => ({
  ...field,
  read: (json) => (json.value === undefined ? otherwise : field.read(json)),
});

/** A list of at most `most` items. */
export const list = <T>(field: Field<T>, most: number = LIMITS.rank): Field<readonly T[]> => ({
  read(json) {
    const items = json.list();
    if (items.length > most) json.fail(`a list of at most ${most}`);
    return items.map((item) => field.read(item));
  },
});

type Pair = readonly [height: number, width: number];

/** Two numbers, height and width. */
export const pair = (field: Field<number>): Field<Pair> => ({
  read(json) {
    const [height, width, ...rest] = json.list();
    if (!height || !width || rest.length > 0) return json.fail('a list of 2 numbers');
    return [field.read(height), field.read(width)];
  },
});

/** The name of a weight. */
export const weightName = (role: WeightRole): Field<string> => ({
  role,
  read(json) {
    const name = json.string();
    return name.length >= 1 && name.length <= LIMITS.nameLength
      ? name
      : json.fail(`a name of 1 to ${LIMITS.nameLength} characters`);
  },
});

export const axis = integer(0, LIMITS.rank - 1);
export const side = integer(1, LIMITS.side);
export const channels = integer(1, LIMITS.channels);
export const size = integer(1, LIMITS.elementsPerTensor);
/** The batch's place in a target shape is 0; see `reshape`. */
export const position = integer(-LIMITS.elementsPerTensor, LIMITS.elementsPerTensor);

const margin = integer(0, LIMITS.side);

/** Zero padding of the two spatial dimensions. */
export const padding: Field<{
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}> = {
  read: (json) => ({
    top: margin.read(json.get('top')),
    left: margin.read(json.get('left')),
    bottom: margin.read(json.get('bottom')),
    right: margin.read(json.get('right')),
  }),
};
