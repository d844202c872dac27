import type { Server } from 'node:http';
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { ApolloServerPluginLandingPageLocalDefault } from '@apollo/server/plugin/landingPage/default';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { Context } from '../resolvers/context.js';
import { formatError } from '../resolvers/errors.js';
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

/** Apollo Server for operations over HTTP, not yet started. */
export function createApollo(schema: GraphQLSchema, httpServer: Server, logger: Logger): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema,
    logger,
    introspection: true,
    csrfPrevention: true,
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    validationRules: [depthRule],
    parseOptions: { maxTokens: LIMITS.tokens },
    formatError: (formatted, error) => formatError(formatted, error, logger),
    plugins: [
      costLimit,
      ApolloServerPluginDrainHttpServer({ httpServer, stopGracePeriodMillis: STOP_GRACE_MS }),
      ApolloServerPluginLandingPageLocalDefault({ document: FIRST_QUERY, footer: false }),
    ],
  });
}
