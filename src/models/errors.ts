/** What is wrong with a network, a file or an edit, as a code that a caller can match on. */
export type ModelErrorCode =
  /** The layers do not form a valid network. */
  | 'INVALID_NETWORK'
  /** A weight is missing, has the wrong shape or is not a number of the kind expected. */
  | 'INVALID_WEIGHTS'
  /** A file is damaged, truncated or not what it says. */
  | 'INVALID_FILE'
  /** A file is sound but holds something that Graft has no layer for. `problems` lists all of it. */
  | 'UNSUPPORTED'
  | 'UNKNOWN_FORMAT'
  | 'UNKNOWN_LAYER'
  | 'INVALID_ARGUMENT';

/** One thing in a file that could not be imported. */
export interface ImportProblem {
  /** The layer's or node's name in the file. */
  readonly layer: string;
  /** The layer's class or the node's operator in the file. */
  readonly kind: string;
  /** The attribute that is the matter, with its value; null where the kind itself is. */
  readonly attribute: string | null;
}

/** Every error that src/models throws on purpose. */
export class ModelError extends Error {
  constructor(
    readonly code: ModelErrorCode,
    message: string,
    readonly problems: readonly ImportProblem[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ModelError';
  }
}

const LISTED_PROBLEMS = 40;

/** One UNSUPPORTED error for everything in a file that Graft cannot import. */
export function unsupported(format: string, problems: readonly ImportProblem[]): ModelError {
  const lines = problems
    .slice(0, LISTED_PROBLEMS)
    .map(({ layer, kind, attribute }) => `- ${kind} ${layer}${attribute === null ? '' : `: ${attribute}`}`);
  const more = problems.length > LISTED_PROBLEMS ? [`- and ${problems.length - LISTED_PROBLEMS} more`] : [];
  const message = `This ${format} model has ${problems.length} part(s) that Graft has no layer for:\n${[...lines, ...more].join('\n')}`;
  return new ModelError('UNSUPPORTED', message, problems);
}
