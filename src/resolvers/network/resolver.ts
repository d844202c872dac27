import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { LayerSummary, NetworkRecord, RevisionRecord } from '../../services/api.js';
import { type Context, found } from '../context.js';
import { given } from '../inputs.js';
import { type Connection, connectionCost, listCost, PageArgs, pageRequest, toConnection } from '../pagination.js';
import { SafeInt } from '../scalars.js';
import {
  ForkNetworkInput,
  FreezeInput,
  ImportNetworkInput,
  LayerSelectorInput,
  NetworkSourceInput,
  RandomizeWeightsInput,
  ReplaceHeadInput,
  SetLearningRateFactorInput,
} from './inputs.js';
import { LayerType, Network, NetworkConnection, Revision, RevisionConnection } from './types.js';

/** The longest lists of layers are some hundreds; the usual ones half of that. */
const USUAL_LAYERS = 100;

const sum = (layers: readonly LayerSummary[], value: (layer: LayerSummary) => number): number =>
  layers.reduce((total, layer) => total + value(layer), 0);

/** A layer for the schema: what only some kinds have goes into `attributes`. */
function toLayer({ layer, ...counts }: LayerSummary): LayerType {
  const { name, kind, inputs, learningRateFactor, ...attributes } = layer;
  return { name, kind, inputs, learningRateFactor, attributes, ...counts };
}

@Resolver(() => Network)
export class NetworkResolver {
  @Query(() => NetworkConnection, { description: 'All networks, newest first.', complexity: connectionCost })
  async networks(
    @Args(() => PageArgs) args: PageArgs,
    @Ctx() { services }: Context,
  ): Promise<Connection<NetworkRecord>> {
    const request = pageRequest(args);
    return toConnection(await services.networks(request), request);
  }

  @Query(() => Network, { nullable: true, description: 'The network with this id; null where there is none.' })
  network(@Arg('id', () => ID) id: string, @Ctx() { loaders }: Context): Promise<NetworkRecord | null> {
    return loaders.network.load(id);
  }

  @FieldResolver(() => Revision, { description: 'The newest revision.' })
  async headRevision(@Root() network: NetworkRecord, @Ctx() { loaders }: Context): Promise<RevisionRecord> {
    return found(await loaders.revision.load(network.headRevisionId), 'revision', network.headRevisionId);
  }

  @FieldResolver(() => RevisionConnection, { description: 'All revisions, newest first.', complexity: connectionCost })
  async revisions(
    @Root() network: NetworkRecord,
    @Args(() => PageArgs) args: PageArgs,
    @Ctx() { loaders }: Context,
  ): Promise<Connection<RevisionRecord>> {
    const request = pageRequest(args);
    return toConnection(await loaders.revisionsOfNetworks(request).load(network.id), request);
  }

  @Mutation(() => Network, {
    description:
      'Creates a network from uploaded files (`POST /uploads`), an address, the Hugging Face hub or an npm package.',
  })
  importNetwork(
    @Arg('input', () => ImportNetworkInput) input: ImportNetworkInput,
    @Ctx() { services }: Context,
  ): Promise<NetworkRecord> {
    const { preprocessing, source, reference, ...rest } = given(input);
    return services.importNetwork({
      ...rest,
      ...(source ? { source: NetworkSourceInput.toSource(source) } : {}),
      ...(preprocessing ? { preprocessing: given(preprocessing) } : {}),
      ...(reference ? { reference: given(reference) } : {}),
    });
  }

  @Mutation(() => Network, { description: 'Creates a network whose first revision is one of another network.' })
  forkNetwork(
    @Arg('input', () => ForkNetworkInput) input: ForkNetworkInput,
    @Ctx() { services }: Context,
  ): Promise<NetworkRecord> {
    return services.forkNetwork(input.revisionId, input.name);
  }

  @Mutation(() => Boolean, {
    description: 'Deletes a network with its revisions, runs and evaluations; false where there is none.',
  })
  deleteNetwork(@Arg('id', () => ID) id: string, @Ctx() { services }: Context): Promise<boolean> {
    return services.deleteNetwork(id);
  }
}

@Resolver(() => Revision)
export class RevisionResolver {
  @Query(() => Revision, { nullable: true, description: 'The revision with this id; null where there is none.' })
  revision(@Arg('id', () => ID) id: string, @Ctx() { loaders }: Context): Promise<RevisionRecord | null> {
    return loaders.revision.load(id);
  }

  @FieldResolver(() => Network, { description: 'The network that it is a state of.' })
  async network(@Root() revision: RevisionRecord, @Ctx() { loaders }: Context): Promise<NetworkRecord> {
    return found(await loaders.network.load(revision.networkId), 'network', revision.networkId);
  }

  @FieldResolver(() => Revision, { nullable: true, description: 'The revision that was edited; null for the first.' })
  async parent(@Root() { parentId }: RevisionRecord, @Ctx() { loaders }: Context): Promise<RevisionRecord | null> {
    return parentId ? loaders.revision.load(parentId) : null;
  }

  @FieldResolver(() => [LayerType], {
    description: 'The layers, each after all of its inputs.',
    complexity: listCost(USUAL_LAYERS),
  })
  async layers(@Root() { id }: RevisionRecord, @Ctx() { loaders }: Context): Promise<LayerType[]> {
    return (await loaders.layers.load(id)).map(toLayer);
  }

  @FieldResolver(() => SafeInt, { description: 'Number of trainable values, frozen or not.' })
  async parameters(@Root() { id }: RevisionRecord, @Ctx() { loaders }: Context): Promise<number> {
    return sum(await loaders.layers.load(id), (layer) => layer.parameters);
  }

  @FieldResolver(() => SafeInt, {
    description: 'Number of values that training moves: those of layers that are not frozen.',
  })
  async trainableParameters(@Root() { id }: RevisionRecord, @Ctx() { loaders }: Context): Promise<number> {
    return sum(await loaders.layers.load(id), (layer) => (layer.frozen ? 0 : layer.parameters));
  }

  @FieldResolver(() => SafeInt, { description: 'Multiplications with an addition for one picture.' })
  async multiplyAdds(@Root() { id }: RevisionRecord, @Ctx() { loaders }: Context): Promise<number> {
    return sum(await loaders.layers.load(id), (layer) => layer.multiplyAdds);
  }

  @Mutation(() => Revision, {
    description: 'Gives the network new outputs with fresh weights, and returns the new revision.',
  })
  replaceHead(
    @Arg('input', () => ReplaceHeadInput) input: ReplaceHeadInput,
    @Ctx() { services }: Context,
  ): Promise<RevisionRecord> {
    const { networkId, ...head } = given(input);
    return services.replaceHead(networkId, head);
  }

  @Mutation(() => Revision, {
    description:
      'Fresh random weights in every layer, nothing frozen: the baseline for a comparison with transfer learning.',
  })
  randomizeWeights(
    @Arg('input', () => RandomizeWeightsInput) { networkId, seed }: RandomizeWeightsInput,
    @Ctx() { services }: Context,
  ): Promise<RevisionRecord> {
    return services.randomizeWeights(networkId, seed ?? undefined);
  }

  @Mutation(() => Revision, {
    description: 'Freezes layers: training moves neither their weights nor their batch-norm statistics.',
  })
  freeze(
    @Arg('input', () => FreezeInput) { networkId, layers }: FreezeInput,
    @Ctx() { services }: Context,
  ): Promise<RevisionRecord> {
    return services.freeze(networkId, LayerSelectorInput.toSelector(layers));
  }

  @Mutation(() => Revision, { description: 'Lets training move layers again, with a learning-rate factor of 1.' })
  unfreeze(
    @Arg('input', () => FreezeInput) { networkId, layers }: FreezeInput,
    @Ctx() { services }: Context,
  ): Promise<RevisionRecord> {
    return services.unfreeze(networkId, LayerSelectorInput.toSelector(layers));
  }

  @Mutation(() => Revision, {
    description: "Sets what the run's learning rate is multiplied with for some layers; 0 freezes them.",
  })
  setLearningRateFactor(
    @Arg('input', () => SetLearningRateFactorInput) { networkId, layers, factor }: SetLearningRateFactorInput,
    @Ctx() { services }: Context,
  ): Promise<RevisionRecord> {
    return services.setLearningRateFactor(networkId, LayerSelectorInput.toSelector(layers), factor);
  }
}
