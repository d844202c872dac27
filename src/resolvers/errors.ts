import { randomUUID } from 'node:crypto';
import type { ValidationError } from 'class-validator';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import { ArgumentValidationError } from 'type-graphql';
import { ServiceError } from '../services/api.js';

/** "input.layers.names must ..." for each constraint that does not hold, also within nested inputs. */
function problemsOf(errors: readonly ValidationError[], path = ''): string[] {
  return errors.flatMap(({ property, constraints, children }) => [
    ...Object.values(constraints ?? {}).map((text) => `${path}${text}`),
    ...problemsOf(children ?? [], `${path}${property}.`),
  ]);
}

/** The error that a resolver threw, below the wrappings of GraphQL. */
function originalOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? originalOf(error.originalError) : error;
}

/**
 * How GraphQL words values that do not fit their types. It tells them from other failures by the words alone, and Apollo knows
 * only some of them.
 */
const WRONG_VALUE =
  /^(Variable "\$\w+" got invalid value |(Variable|Argument) "\$?\w+" (of (required|non-null) type|has invalid value) |Too many errors processing variables)/;

/**
 * An error as the client sees it: a message that says what to do, and `extensions.code`. What we did not foresee is logged and
 * masked, because its text may tell of files and code; the reference leads from the client's message to the log.
 */
export function formatError(formatted: GraphQLFormattedError, error: unknown, logger: Logger): GraphQLFormattedError {
  const { locations, path } = formatted;
  const original = originalOf(error);
  const as = (code: string, message: string): GraphQLFormattedError => ({
    message,
    ...(locations ? { locations } : {}),
    ...(path ? { path } : {}),
    extensions: { code },
  });
  if (original instanceof ServiceError) return as(original.code, original.message);
  if (original instanceof ArgumentValidationError) {
    return as(
      'BAD_USER_INPUT',
      `The input is not valid: ${problemsOf(original.extensions.validationErrors).join('; ')}.`,
    );
  }
  if (original instanceof GraphQLError) {
    if (WRONG_VALUE.test(formatted.message)) return as('BAD_USER_INPUT', formatted.message);
    // Errors of syntax, validation and limits: made for clients. Apollo's own code is the less exact one.
    const code = original.extensions.code ?? formatted.extensions?.code;
    return as(typeof code === 'string' ? code : 'GRAPHQL_VALIDATION_FAILED', formatted.message);
  }
  const reference = randomUUID();
  logger.error({ err: original, reference, path }, 'an operation failed unexpectedly');
  return as(
    'INTERNAL_SERVER_ERROR',
    `Something failed inside the server. Its log says more under the reference ${reference}.`,
  );
}
