/** The command line was not understood: exit status 2, with the help. */
export class UsageError extends Error {}

/** Exit statuses of all commands. */
export const EXIT = {
  ok: 0,
  /** Something failed: a file is damaged, an input does not fit, there is no GPU. */
  failed: 1,
  usage: 2,
  /** A model has operators or layers that Graft does not have. */
  unsupported: 3,
} as const;
