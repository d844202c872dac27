import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { DatasetRecord, NetworkRecord, RevisionRecord, RunEvent, RunRecord } from '../../services/api.js';
import type { ProgressEvent, TrainingOptions } from '../../training/types.js';
import type { Context } from '../context.js';
import { Dataset } from '../dataset/types.js';
import { given } from '../inputs.js';
import { Network, Revision } from '../network/types.js';
import { type Connection, connectionCost, listCost, pageRequest, toConnection } from '../pagination.js';
import { RunProgressArgs, RunsArgs, TrainInput, type TrainingOptionsInput } from './inputs.js';
import { toProgress, watchProgress } from './progress.js';
import { EpochMetrics, Run, RunConnection, RunProgress, StepMetrics } from './types.js';

type EventOf<T extends ProgressEvent['type']> = Extract<ProgressEvent, { type: T }>;

function eventsOf<T extends ProgressEvent['type']>(events: readonly RunEvent[], type: T): EventOf<T>[] {
  return events.flatMap(({ progress }) => (progress?.type === type ? [progress as EventOf<T>] : []));
}

/** The options that were given; null is a value of its own for two of them. */
function toOptions(input: TrainingOptionsInput): Partial<TrainingOptions> {
  const { gradientClipNorm, maxSeconds } = input;
  return {
    ...(given(input) as Partial<TrainingOptions>),
    ...(gradientClipNorm === null ? { gradientClipNorm } : {}),
    ...(maxSeconds === null ? { maxSeconds } : {}),
  };
}

@Resolver(() => Run)
export class RunResolver {
  @Query(() => RunConnection, { description: 'All runs, newest first.', complexity: connectionCost })
  async runs(@Args(() => RunsArgs) args: RunsArgs, @Ctx() { services }: Context): Promise<Connection<RunRecord>> {
    const request = pageRequest(args);
    const filter = {
      ...(args.networkId ? { networkId: args.networkId } : {}),
      ...(args.datasetId ? { datasetId: args.datasetId } : {}),
    };
    return toConnection(await services.runs(filter, request), request);
  }

  @Query(() => Run, { nullable: true, description: 'The run with this id; null where there is none.' })
  run(@Arg('id', () => ID) id: string, @Ctx() { loaders }: Context): Promise<RunRecord | null> {
    return loaders.run.load(id);
  }

  @FieldResolver(() => Network, { nullable: true, description: 'The network; null where it was deleted.' })
  network(@Root() run: RunRecord, @Ctx() { loaders }: Context): Promise<NetworkRecord | null> {
    return loaders.network.load(run.networkId);
  }

  @FieldResolver(() => Revision, { nullable: true, description: 'The revision that was trained.' })
  revision(@Root() run: RunRecord, @Ctx() { loaders }: Context): Promise<RevisionRecord | null> {
    return loaders.revision.load(run.revisionId);
  }

  @FieldResolver(() => Dataset, { nullable: true, description: 'The data set; null where it was deleted.' })
  dataset(@Root() run: RunRecord, @Ctx() { loaders }: Context): Promise<DatasetRecord | null> {
    return loaders.dataset.load(run.datasetId);
  }

  @FieldResolver(() => Revision, {
    nullable: true,
    description: 'What came out: the weights after the epoch that was best on the validation pictures.',
  })
  async bestRevision(@Root() run: RunRecord, @Ctx() { loaders }: Context): Promise<RevisionRecord | null> {
    return run.bestRevisionId ? loaders.revision.load(run.bestRevisionId) : null;
  }

  @FieldResolver(() => Revision, { nullable: true, description: 'What came out: the weights after the last epoch.' })
  async lastRevision(@Root() run: RunRecord, @Ctx() { loaders }: Context): Promise<RevisionRecord | null> {
    return run.lastRevisionId ? loaders.revision.load(run.lastRevisionId) : null;
  }

  @FieldResolver(() => [EpochMetrics], { description: 'Metrics of the epochs so far.', complexity: listCost(20) })
  async epochs(@Root() { id }: RunRecord, @Ctx() { loaders }: Context): Promise<EpochMetrics[]> {
    return eventsOf(await loaders.runEvents.load(id), 'epoch');
  }

  @FieldResolver(() => [StepMetrics], {
    description: 'Metrics of the steps so far, a few a second.',
    complexity: listCost(100),
  })
  async steps(@Root() { id }: RunRecord, @Ctx() { loaders }: Context): Promise<StepMetrics[]> {
    return eventsOf(await loaders.runEvents.load(id), 'step');
  }

  @FieldResolver(() => RunProgress, { nullable: true, description: 'The newest event.' })
  async progress(@Root() { id }: RunRecord, @Ctx() { loaders }: Context): Promise<RunProgress | null> {
    const newest = (await loaders.runEvents.load(id)).at(-1);
    return newest ? toProgress(newest) : null;
  }

  @Mutation(() => Run, { description: 'Queues a training. Follow it with the subscription `runProgress`.' })
  train(@Arg('input', () => TrainInput) input: TrainInput, @Ctx() { services }: Context): Promise<RunRecord> {
    const { options, ...rest } = given(input);
    return services.train({ ...rest, ...(options ? { options: toOptions(options) } : {}) });
  }

  @Mutation(() => Run, { description: 'Ends a run that waits or computes; CONFLICT where it is over already.' })
  cancelRun(@Arg('id', () => ID) id: string, @Ctx() { services }: Context): Promise<RunRecord> {
    return services.cancelRun(id);
  }

  @Subscription(() => RunProgress, {
    description:
      "A run's events from the first, or from the one after `after`: those that were, then new ones as they happen, each once and in order, until the run ends.",
    subscribe: ({ args, context }) => watchProgress(context as Context, args as RunProgressArgs),
  })
  runProgress(@Root() event: RunEvent, @Args(() => RunProgressArgs) _args: RunProgressArgs): RunProgress {
    return toProgress(event);
  }
}
