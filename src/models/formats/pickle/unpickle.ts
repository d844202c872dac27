import { fail, PickleBytes } from './bytes.js';
import { PyDict, PyGlobal, PyList, PyMark, PyObject, PySet, PyTuple, type PickleValue } from './values.js';

/** Opcodes of one pickle. A checkpoint has about fifty for each tensor. */
const MAX_OPERATIONS = 2 ** 22;
/** Tuples, lists, dicts, sets and objects of one pickle: each may take hundreds of bytes for one byte of the file. */
const MAX_CONTAINERS = 2 ** 19;
const MAX_PROTOCOL = 5;

/** What a pickle may ask for beyond plain data. Each throws for what it does not know: nothing of the file is ever run. */
export interface PickleHost {
  /** The name of a class or function; throws where it is not allowed. */
  global(global: PyGlobal): PickleValue;
  /** What calling it with these arguments would give, as data. */
  call(callable: PickleValue, args: readonly PickleValue[]): PickleValue;
  /** Gives an object the state that Python's `__setstate__` would get. */
  build(object: PickleValue, state: PickleValue): void;
  /** What lies outside the pickle under this id. */
  persistent(id: PickleValue): PickleValue;
}

export interface Unpickled {
  readonly value: PickleValue;
  /** Where the pickle ends in the bytes. */
  readonly end: number;
}

const MARK = new PyMark();

/** Pickle's machine (Lib/pickletools.py describes its opcodes): a stack, a memo and the opcodes of protocols 2 to 5. */
class Machine {
  private readonly input: PickleBytes;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private containers = 0;

  constructor(
    bytes: Uint8Array,
    start: number,
    private readonly host: PickleHost,
  ) {
    this.input = new PickleBytes(bytes, start);
  }

  run(): Unpickled {
    for (let operations = 0; operations < MAX_OPERATIONS; operations++) {
      const at = this.input.position;
      const opcode = this.input.u8();
      if (opcode === STOP) {
        const value = this.pop();
        if (this.stack.length > 0) fail('it ends with values left over.');
        return { value, end: this.input.position };
      }
      const operation = OPERATIONS[opcode];
      if (!operation) {
        const shown = `0x${opcode.toString(16).padStart(2, '0')}`;
        fail(`opcode ${shown} at byte ${at} is none that PyTorch writes (protocols 2 to ${MAX_PROTOCOL}).`);
      }
      operation(this, this.input);
    }
    fail(`it has more than ${MAX_OPERATIONS} operations.`);
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  /** The value on top; never a mark, nor one below the newest mark. */
  top(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) fail('it takes more values from its stack than are there.');
    return this.stack[this.stack.length - 1] as PickleValue;
  }

  mark(): void {
    this.stack.push(MARK);
    this.marks.push(this.stack.length);
  }

  popMark(): PickleValue[] {
    const start = this.marks.pop() ?? fail('it ends a list that has no beginning.');
    const values = this.stack.splice(start);
    this.stack.pop();
    return values;
  }

  /** POP takes a mark too. */
  discard(): void {
    if (this.stack.at(-1) === MARK) this.popMark();
    else this.pop();
  }

  container<T extends PickleValue>(value: T): T {
    if (++this.containers > MAX_CONTAINERS) fail(`it has more than ${MAX_CONTAINERS} tuples, lists and dicts.`);
    this.stack.push(value);
    return value;
  }

  tuple(length: number): void {
    const items: PickleValue[] = [];
    for (let index = 0; index < length; index++) items.unshift(this.pop());
    this.container(new PyTuple(items));
  }

  setItems(pairs: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof PyDict) || pairs.length % 2 !== 0) fail('it puts items into what is no dict.');
    for (let index = 0; index < pairs.length; index += 2) {
      dict.entries.set(pairs[index] as PickleValue, pairs[index + 1] as PickleValue);
    }
  }

  append(items: readonly PickleValue[]): void {
    const list = this.top();
    if (!(list instanceof PyList)) fail('it appends to what is no list.');
    for (const item of items) list.items.push(item);
  }

  addItems(): void {
    const items = this.popMark();
    const set = this.top();
    if (!(set instanceof PySet)) fail('it adds items to what is no set.');
    for (const item of items) set.items.push(item);
  }

  put(index: number): void {
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.memo.size);
  }

  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) fail(`it refers to value ${index}, which it does not have.`);
    this.push(value);
  }

  global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') fail('the name of a class is no text.');
    this.push(this.host.global(new PyGlobal(module, name)));
  }

  /** REDUCE and NEWOBJ: below the arguments lies what is called. */
  call(): void {
    const args = this.pop();
    const callable = this.pop();
    if (!(args instanceof PyTuple)) fail('it calls something with arguments that are no tuple.');
    this.container(this.host.call(callable, args.items));
  }

  callWithKeywords(): void {
    const keywords = this.pop();
    if (!(keywords instanceof PyDict) || keywords.entries.size > 0) fail('it makes an object with keyword arguments.');
    this.call();
  }

  build(): void {
    const state = this.pop();
    const object = this.top();
    this.host.build(object, state);
  }

  persistent(): void {
    this.push(this.host.persistent(this.pop()));
  }
}

type Operation = (machine: Machine, input: PickleBytes) => void;

const STOP = 0x2e;

/** By opcode: the character or number that stands for it. */
const OPERATIONS: readonly (Operation | undefined)[] = (() => {
  const table: (Operation | undefined)[] = Array.from({ length: 256 }, () => undefined);
  const define = (opcode: number | string, operation: Operation): void => {
    table[typeof opcode === 'string' ? opcode.charCodeAt(0) : opcode] = operation;
  };
  define(0x80, (_, input) => {
    const protocol = input.u8();
    if (protocol < 2 || protocol > MAX_PROTOCOL) fail(`protocol ${protocol}; 2 to ${MAX_PROTOCOL} can be read.`);
  });
  // FRAME: how many bytes belong together; nothing depends on it.
  define(0x95, (_, input) => void input.u64());
  define('(', (machine) => machine.mark());
  define('0', (machine) => machine.discard());
  define('1', (machine) => void machine.popMark());
  define('2', (machine) => machine.push(machine.top()));
  define('N', (machine) => machine.push(null));
  define(0x88, (machine) => machine.push(true));
  define(0x89, (machine) => machine.push(false));
  define('K', (machine, input) => machine.push(input.u8()));
  define('M', (machine, input) => machine.push(input.u16()));
  define('J', (machine, input) => machine.push(input.i32()));
  define(0x8a, (machine, input) => machine.push(input.int(input.u8())));
  define(0x8b, (machine, input) => machine.push(input.int(input.u32())));
  define('G', (machine, input) => machine.push(input.float()));
  define(0x8c, (machine, input) => machine.push(input.text(input.u8())));
  define('X', (machine, input) => machine.push(input.text(input.u32())));
  define(0x8d, (machine, input) => machine.push(input.text(input.u64())));
  define('U', (machine, input) => machine.push(input.byteText(input.u8())));
  define('T', (machine, input) => machine.push(input.byteText(input.u32())));
  define('C', (machine, input) => machine.push(input.raw(input.u8())));
  define('B', (machine, input) => machine.push(input.raw(input.u32())));
  define(0x8e, (machine, input) => machine.push(input.raw(input.u64())));
  define(0x96, (machine, input) => machine.push(input.raw(input.u64())));
  define(')', (machine) => machine.tuple(0));
  define(0x85, (machine) => machine.tuple(1));
  define(0x86, (machine) => machine.tuple(2));
  define(0x87, (machine) => machine.tuple(3));
  define('t', (machine) => void machine.container(new PyTuple(machine.popMark())));
  define(']', (machine) => void machine.container(new PyList()));
  define('}', (machine) => void machine.container(new PyDict('dict')));
  define(0x8f, (machine) => void machine.container(new PySet([])));
  define(0x91, (machine) => void machine.container(new PySet(machine.popMark())));
  define('a', (machine) => machine.append([machine.pop()]));
  define('e', (machine) => machine.append(machine.popMark()));
  define('s', (machine) => {
    const value = machine.pop();
    machine.setItems([machine.pop(), value]);
  });
  define('u', (machine) => machine.setItems(machine.popMark()));
  define(0x90, (machine) => machine.addItems());
  define('q', (machine, input) => machine.put(input.u8()));
  define('r', (machine, input) => machine.put(input.u32()));
  define(0x94, (machine) => machine.memoize());
  define('h', (machine, input) => machine.get(input.u8()));
  define('j', (machine, input) => machine.get(input.u32()));
  define('c', (machine, input) => machine.global(input.line(), input.line()));
  define(0x93, (machine) => {
    const name = machine.pop();
    machine.global(machine.pop(), name);
  });
  define('R', (machine) => machine.call());
  define(0x81, (machine) => machine.call());
  define(0x92, (machine) => machine.callWithKeywords());
  define('b', (machine) => machine.build());
  define('Q', (machine) => machine.persistent());
  return table;
})();

/**
 * Reads one pickle as data, from byte `start` on. No code of the file is run: names, calls and states go to `host`, which knows
 * an allow-list. Time and memory are linear in the bytes, up to fixed limits. Throws INVALID_FILE, and what the host throws.
 */
export function unpickle(bytes: Uint8Array, start: number, host: PickleHost): Unpickled {
  return new Machine(bytes, start, host).run();
}

/** A value in few words, for messages. */
export function describe(value: PickleValue): string {
  if (value === null) return 'None';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof PyGlobal) return value.path;
  if (value instanceof PyDict) return `${value.type} of ${value.entries.size}`;
  if (value instanceof PyTuple) return `tuple of ${value.items.length}`;
  if (value instanceof PyList) return `list of ${value.items.length}`;
  if (value instanceof PySet) return `set of ${value.items.length}`;
  return value instanceof PyObject ? value.type : 'a mark';
}
