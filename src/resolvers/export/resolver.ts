import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Receipt } from '../../models/receipt.js';
import type { ExportRecord, RevisionRecord } from '../../services/api.js';
import { type Context, found } from '../context.js';
import { given } from '../inputs.js';
import { Revision } from '../network/types.js';
import { listCost } from '../pagination.js';
import { ExportRevisionInput } from './inputs.js';
import { ExportType, ReceiptType } from './types.js';

/** A revision is exported in a few formats at most. */
const USUAL_EXPORTS = 5;

@Resolver(() => ExportType)
export class ExportResolver {
  @Mutation(() => ExportType, { description: 'Writes a revision as a file, to be fetched from its `url`.' })
  exportRevision(
    @Arg('input', () => ExportRevisionInput) { revisionId, format, ...options }: ExportRevisionInput,
    @Ctx() { services }: Context,
  ): Promise<ExportRecord> {
    return services.exportRevision(revisionId, format, given(options));
  }

  @FieldResolver(() => String, { description: 'Path of the file on this server.' })
  url(@Root() { hash, filename }: ExportRecord): string {
    return `/blobs/${hash}/${encodeURIComponent(filename)}`;
  }

  @FieldResolver(() => Revision, { description: 'What was written.' })
  async revision(@Root() { revisionId }: ExportRecord, @Ctx() { loaders }: Context): Promise<RevisionRecord> {
    return found(await loaders.revision.load(revisionId), 'revision', revisionId);
  }
}

/** Exports and receipts of a revision. */
@Resolver(() => Revision)
export class RevisionReceiptResolver {
  @FieldResolver(() => ReceiptType, {
    nullable: true,
    description: 'What its import did; null where it was made in another way.',
  })
  receipt(@Root() { id }: RevisionRecord, @Ctx() { loaders }: Context): Promise<Receipt | null> {
    return loaders.receipt.load(id);
  }

  @FieldResolver(() => [ExportType], {
    description: 'Files that it was written as, newest first.',
    complexity: listCost(USUAL_EXPORTS),
  })
  exports(@Root() { id }: RevisionRecord, @Ctx() { loaders }: Context): Promise<readonly ExportRecord[]> {
    return loaders.exports.load(id);
  }
}
