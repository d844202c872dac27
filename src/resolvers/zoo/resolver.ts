import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type {
  DownloadRecord,
  NetworkRecord,
  ZooEntry,
  ZooMeasurement,
  ZooMeasurementOutcome,
} from '../../services/api.js';
import type { Context } from '../context.js';
import { given } from '../inputs.js';
import { Network } from '../network/types.js';
import { listCost } from '../pagination.js';
import { CreateNetworkInput, DownloadProgressArgs, MeasureZooNetworksInput } from './inputs.js';
import { DownloadProgress, InputSize, ZooMeasurementResult, ZooMeasurementType, ZooNetwork } from './types.js';

/** Entries of the zoo, for the cost of a query. */
const USUAL_ENTRIES = 60;

@Resolver(() => ZooNetwork)
export class ZooResolver {
  @Query(() => [ZooNetwork], {
    description: 'The networks that Graft can create by itself.',
    complexity: listCost(USUAL_ENTRIES),
  })
  zoo(@Ctx() { services }: Context): readonly ZooEntry[] {
    return services.zoo();
  }

  @FieldResolver(() => InputSize, { description: 'Size of the pictures that it takes.' })
  input(@Root() { inputSize: [channels, height, width] }: ZooEntry): InputSize {
    return { channels, height, width };
  }

  @FieldResolver(() => [ZooMeasurementType], {
    description: 'How fast it was on each adapter that it was measured on, newest first.',
    complexity: listCost(2),
  })
  measurements(@Root() { id }: ZooEntry, @Ctx() { loaders }: Context): Promise<readonly ZooMeasurement[]> {
    return loaders.measurements.load(id);
  }

  @Mutation(() => [ZooMeasurementResult], {
    description:
      'Measures how fast networks of the zoo predict on the adapter of this server, waiting for a training that runs. The newest measurement of a network on an adapter is kept. Nothing is downloaded.',
  })
  measureZooNetworks(
    @Arg('input', () => MeasureZooNetworksInput) input: MeasureZooNetworksInput,
    @Ctx() { services }: Context,
  ): Promise<readonly ZooMeasurementOutcome[]> {
    return services.measureZooNetworks(given(input));
  }

  @Mutation(() => Network, {
    description: 'Creates a network from the zoo. Published weights are downloaded where they are not in the cache.',
  })
  createNetwork(
    @Arg('input', () => CreateNetworkInput) input: CreateNetworkInput,
    @Ctx() { services }: Context,
  ): Promise<NetworkRecord> {
    return services.createNetwork(given(input));
  }
}

@Resolver(() => DownloadProgress)
export class DownloadResolver {
  @Mutation(() => Boolean, { description: 'Ends a download; false where none of that name is under way.' })
  cancelDownload(@Arg('operationId', () => ID) operationId: string, @Ctx() { services }: Context): boolean {
    return services.cancelDownload(operationId);
  }

  @Subscription(() => DownloadProgress, {
    description:
      'A download as it is now, then whenever it has got on, until it is over. One that has not begun yet is waited for.',
    subscribe: ({ args, context }) =>
      (context as Context).services.watchDownload((args as DownloadProgressArgs).operationId),
  })
  downloadProgress(
    @Root() record: DownloadRecord,
    @Args(() => DownloadProgressArgs) _args: DownloadProgressArgs,
  ): DownloadProgress {
    return record;
  }
}
