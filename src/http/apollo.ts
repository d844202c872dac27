import type { Server } from 'node:http';
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { ApolloServerErrorCode } from '@apollo/server/errors';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginLandingPageLocalDefault } from '@apollo/server/plugin/landingPage/default';
import type { GraphQLSchema } from 'graphql';
import Negotiator from 'negotiator';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { Context } from '../resolvers/context.js';
import { formatError } from '../resolvers/errors.js';
import type { Metrics } from './metrics.js';
import { assertAffordable, depthRule, LIMITS } from '../resolvers/limits.js';

/** Requests under way have this long to end when the server stops. */
const STOP_GRACE_MS = 3_000;

const FIRST_QUERY = `# Welcome to Graft. These networks are ready to be taken:
query Zoo {
  zoo {
    id
    name
    pretrained
    parameters
    top1
  }
  device {
    state
    description
  }
}
`;

const costLimit: ApolloServerPlugin<Context> = {
  requestDidStart: async () => ({
    async didResolveOperation({ schema, document, operationName, request }) {
      assertAffordable(schema, document, operationName, request.variables);
    },
  }),
};

const PLAIN_JSON = 'application/json';
const RESPONSE_JSON = 'application/graphql-response+json';

/**
 * Clients that accept no more than plain JSON take any other status than 200 for an answer of something on the way, and never
 * look at the errors (GraphQL over HTTP, section 6.4.1): they get what is wrong with an operation under 200. Apollo says 400.
 */
const statusForPlainJson: ApolloServerPlugin<Context> = {
  requestDidStart: async () => ({
    async willSendResponse({ request, response, errors = [] }) {
      // No operation at all: not an answer of GraphQL.
      if (errors.some(({ extensions }) => extensions.code === ApolloServerErrorCode.BAD_REQUEST)) return;
      const accept = request.http?.headers.get('accept');
      const negotiator = new Negotiator({ headers: accept === undefined ? {} : { accept } });
      // In this order, as Apollo chooses the type of its answer.
      const isPlain = negotiator.mediaType([PLAIN_JSON, RESPONSE_JSON]) === PLAIN_JSON;
      if (isPlain && response.http.status === 400) response.http.status = 200;
    },
  }),
};

/** Apollo Server for operations over HTTP, not yet started. */
export function createApollo(
  schema: GraphQLSchema,
  httpServer: Server,
  metrics: Metrics,
  config: Pick<Config, 'introspection' | 'landingPage'>,
  logger: Logger,
): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema,
    logger,
    introspection: config.introspection,
    csrfPrevention: true,
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    validationRules: [depthRule],
    parseOptions: { maxTokens: LIMITS.tokens },
    formatError: (formatted, error) => formatError(formatted, error, logger),
    plugins: [
      metrics.plugin,
      costLimit,
      statusForPlainJson,
      ApolloServerPluginDrainHttpServer({ httpServer, stopGracePeriodMillis: STOP_GRACE_MS }),
      config.landingPage
        ? ApolloServerPluginLandingPageLocalDefault({ document: FIRST_QUERY, footer: false })
        : ApolloServerPluginLandingPageDisabled(),
    ],
  });
}
