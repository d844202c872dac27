/**
 * What a pickle may hold, as data. Python's None, bool, int, float, str and bytes are null, boolean, number (bigint where an int
 * is not exact as a number), number, string and Uint8Array; the rest are the classes below and those of a reader's own.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyGlobal
  | PyTuple
  | PyList
  | PySet
  | PyDict
  | PyObject
  | PyMark;

/** The name of a class or function. It names; nothing is ever loaded or called by it. */
export class PyGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

export class PyTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

export class PyList {
  readonly items: PickleValue[] = [];
}

export class PySet {
  constructor(readonly items: PickleValue[]) {}
}

/** A dict, or a class of the same behaviour. Keys that are no plain values are told apart by identity. */
export class PyDict {
  /** What `__dict__` of an OrderedDict held; PyTorch keeps the versions of modules there. */
  attributes: PyDict | null = null;

  constructor(
    readonly type: string,
    readonly entries = new Map<PickleValue, PickleValue>(),
  ) {}
}

/** An object that is known by its class's name alone: its parts are kept, unread. Readers derive their own from it. */
export class PyObject {
  state: PickleValue = null;

  constructor(readonly type: string) {}
}

/** Marks the beginning of a list on the stack. */
export class PyMark {}
