import { Arg, Args, Ctx, FieldResolver, Float, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import type {
  DatasetRecord,
  DeviceRecord,
  EvaluationRecord,
  GarbageRecord,
  PicturePrediction,
  RevisionRecord,
} from '../../services/api.js';
import type { Context } from '../context.js';
import { Dataset } from '../dataset/types.js';
import { given } from '../inputs.js';
import { Revision } from '../network/types.js';
import { type Connection, connectionCost, listCost, pageRequest, toConnection } from '../pagination.js';
import { EvaluateInput, EvaluationsArgs, PredictInput } from './inputs.js';
import {
  ClassMetricsType,
  Device,
  Evaluation,
  EvaluationConnection,
  GarbageReport,
  PicturePredictionType,
  TopKAccuracy,
} from './types.js';

@Resolver(() => Evaluation)
export class EvaluationResolver {
  @Query(() => EvaluationConnection, { description: 'All evaluations, newest first.', complexity: connectionCost })
  async evaluations(
    @Args(() => EvaluationsArgs) args: EvaluationsArgs,
    @Ctx() { services }: Context,
  ): Promise<Connection<EvaluationRecord>> {
    const request = pageRequest(args);
    const filter = {
      ...(args.revisionIds ? { revisionIds: args.revisionIds } : {}),
      ...(args.datasetId ? { datasetId: args.datasetId } : {}),
    };
    return toConnection(await services.evaluations(filter, request), request);
  }

  @FieldResolver(() => Revision, { nullable: true, description: 'What was measured; null where it was deleted.' })
  revision(@Root() { revisionId }: EvaluationRecord, @Ctx() { loaders }: Context): Promise<RevisionRecord | null> {
    return loaders.revision.load(revisionId);
  }

  @FieldResolver(() => Dataset, { nullable: true, description: 'What it was measured on; null where it was deleted.' })
  dataset(@Root() { datasetId }: EvaluationRecord, @Ctx() { loaders }: Context): Promise<DatasetRecord | null> {
    return loaders.dataset.load(datasetId);
  }

  @FieldResolver(() => Int, { description: 'Number of pictures.' })
  pictures(@Root() { result }: EvaluationRecord): number {
    return result.pictures;
  }

  @FieldResolver(() => Float, { description: 'Mean cross-entropy.' })
  loss(@Root() { result }: EvaluationRecord): number {
    return result.loss;
  }

  @FieldResolver(() => Float, { description: 'Share of right answers, 0 to 1.' })
  accuracy(@Root() { result }: EvaluationRecord): number {
    return result.accuracy;
  }

  @FieldResolver(() => [TopKAccuracy], { description: 'Accuracy when several answers count.' })
  topK(@Root() { result }: EvaluationRecord): readonly TopKAccuracy[] {
    return result.topK;
  }

  @FieldResolver(() => [ClassMetricsType], { description: 'Metrics of each class in order.', complexity: listCost(20) })
  classes(@Root() { result }: EvaluationRecord): readonly ClassMetricsType[] {
    return result.classes;
  }

  @FieldResolver(() => [[Int]], {
    description: 'Number of pictures for each true class (row) and predicted class (column).',
  })
  confusion(@Root() { result }: EvaluationRecord): readonly (readonly number[])[] {
    return result.confusion;
  }

  @Mutation(() => Evaluation, { description: 'Measures a revision on one split of a data set.' })
  evaluate(
    @Arg('input', () => EvaluateInput) input: EvaluateInput,
    @Ctx() { services }: Context,
  ): Promise<EvaluationRecord> {
    return services.evaluate(given(input));
  }

  @Mutation(() => [PicturePredictionType], { description: 'Classifies uploaded pictures.' })
  predict(
    @Arg('input', () => PredictInput) input: PredictInput,
    @Ctx() { services }: Context,
  ): Promise<readonly PicturePrediction[]> {
    return services.predict(given(input));
  }
}

@Resolver(() => Device)
export class DeviceResolver {
  @Query(() => Device, { description: 'The GPU that this server computes on.' })
  device(@Ctx() { services }: Context): Promise<DeviceRecord> {
    return services.device();
  }

  @Mutation(() => GarbageReport, {
    description:
      'Deletes stored files that nothing refers to any more: uploads, weights and pictures of what was deleted. Files of the last hour stay.',
  })
  collectGarbage(
    @Arg('dryRun', { defaultValue: false, description: 'Only counts what would go.' }) dryRun: boolean,
    @Ctx() { services }: Context,
  ): Promise<GarbageRecord> {
    return services.collectGarbage({ dryRun });
  }
}
