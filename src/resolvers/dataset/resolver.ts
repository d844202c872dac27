import { Arg, Args, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { ClassCount, DatasetRecord, PictureRecord } from '../../services/api.js';
import type { Context } from '../context.js';
import { given } from '../inputs.js';
import { type Connection, connectionCost, listCost, PageArgs, pageRequest, toConnection } from '../pagination.js';
import { CreateDatasetInput, PicturesArgs } from './inputs.js';
import { Dataset, DatasetClass, DatasetConnection, Picture, PictureConnection } from './types.js';

@Resolver(() => Dataset)
export class DatasetResolver {
  @Query(() => DatasetConnection, { description: 'All data sets, newest first.', complexity: connectionCost })
  async datasets(
    @Args(() => PageArgs) args: PageArgs,
    @Ctx() { services }: Context,
  ): Promise<Connection<DatasetRecord>> {
    const request = pageRequest(args);
    return toConnection(await services.datasets(request), request);
  }

  @Query(() => Dataset, { nullable: true, description: 'The data set with this id; null where there is none.' })
  dataset(@Arg('id', () => ID) id: string, @Ctx() { loaders }: Context): Promise<DatasetRecord | null> {
    return loaders.dataset.load(id);
  }

  @FieldResolver(() => [DatasetClass], { description: 'The classes in order.', complexity: listCost(20) })
  classes(@Root() { id }: DatasetRecord, @Ctx() { loaders }: Context): Promise<readonly ClassCount[]> {
    return loaders.classCounts.load(id);
  }

  @FieldResolver(() => Int, { description: 'Number of pictures in all splits.' })
  async pictureCount(@Root() { id }: DatasetRecord, @Ctx() { loaders }: Context): Promise<number> {
    const counts = await loaders.classCounts.load(id);
    return counts.reduce((total, { train, validation, test }) => total + train + validation + test, 0);
  }

  @FieldResolver(() => PictureConnection, { description: 'Its pictures.', complexity: connectionCost })
  async pictures(
    @Root() { id }: DatasetRecord,
    @Args(() => PicturesArgs) args: PicturesArgs,
    @Ctx() { loaders }: Context,
  ): Promise<Connection<PictureRecord>> {
    const request = pageRequest(args);
    const filter = {
      ...(args.split ? { split: args.split } : {}),
      ...(args.label != null ? { label: args.label } : {}),
    };
    return toConnection(await loaders.picturesOfDatasets(filter, request).load(id), request);
  }

  @Mutation(() => Dataset, {
    description:
      'Creates a data set from an uploaded archive or a folder of the server. A broken picture is skipped and listed.',
  })
  createDataset(
    @Arg('input', () => CreateDatasetInput) input: CreateDatasetInput,
    @Ctx() { services }: Context,
  ): Promise<DatasetRecord> {
    return services.createDataset(given(input));
  }

  @Mutation(() => Boolean, {
    description: 'Deletes a data set with its runs and evaluations; false where there is none.',
  })
  deleteDataset(@Arg('id', () => ID) id: string, @Ctx() { services }: Context): Promise<boolean> {
    return services.deleteDataset(id);
  }
}

@Resolver(() => Picture)
export class PictureResolver {
  @FieldResolver(() => String, { description: 'Path of the picture on this server.' })
  url(@Root() { hash }: PictureRecord): string {
    return `/blobs/${hash}`;
  }

  @FieldResolver(() => String, { description: 'Path of a small version, at most 160 pixels a side, on this server.' })
  thumbnailUrl(@Root() { hash }: PictureRecord): string {
    return `/thumbnails/${hash}`;
  }
}
