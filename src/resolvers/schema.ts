import 'reflect-metadata';
import type { GraphQLSchema } from 'graphql';
import { buildSchema, type MiddlewareFn, type PubSub } from 'type-graphql';
import type { Context } from './context.js';
import { DatasetResolver, PictureResolver } from './dataset/resolver.js';
import { ExportResolver, RevisionReceiptResolver } from './export/resolver.js';
import { NetworkResolver, RevisionResolver } from './network/resolver.js';
import { DeviceResolver, EvaluationResolver } from './result/resolver.js';
import { RunResolver } from './run/resolver.js';
import { DownloadResolver, ZooResolver } from './zoo/resolver.js';

/** Several mutations may come in one operation; each answer has to see what the ones before it changed. */
const forgetAfterMutation: MiddlewareFn<Context> = async ({ info, context }, next) => {
  const result = await next();
  if (info.parentType.name === 'Mutation') context.loaders.clear();
  return result;
};

/** type-graphql insists on one; our subscriptions read the stored events of a run, which no late client can miss. */
const noPubSub: PubSub = {
  publish() {
    throw new Error('Subscriptions have sources of their own: nothing is published.');
  },
  subscribe() {
    throw new Error('Subscriptions have sources of their own: nothing is published.');
  },
};

/** The executable schema. Its resolvers want a `Context`. */
export function createSchema(): Promise<GraphQLSchema> {
  return buildSchema({
    resolvers: [
      ZooResolver,
      DownloadResolver,
      NetworkResolver,
      RevisionResolver,
      DatasetResolver,
      PictureResolver,
      RunResolver,
      EvaluationResolver,
      ExportResolver,
      RevisionReceiptResolver,
      DeviceResolver,
    ],
    validate: { forbidUnknownValues: false },
    pubSub: noPubSub,
    globalMiddlewares: [forgetAfterMutation],
  });
}
