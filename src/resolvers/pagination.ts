import { IsOptional, Max, MaxLength, Min } from 'class-validator';
import { ArgsType, type ClassType, Field, Int, ObjectType } from 'type-graphql';
import type { Page, PageRequest } from '../services/api.js';

export const MAX_PAGE_SIZE = 100;

@ArgsType()
export class PageArgs {
  @Field(() => Int, { defaultValue: 20, description: `How many items, 1 to ${MAX_PAGE_SIZE}.` })
  @Min(1)
  @Max(MAX_PAGE_SIZE)
  first!: number;

  @Field(() => String, {
    nullable: true,
    description: 'The cursor after which the page begins: `pageInfo.endCursor` of the page before.',
  })
  @IsOptional()
  @MaxLength(500)
  after?: string | null;
}

@ObjectType({ description: 'Where a page ends, by the convention of Relay.' })
export class PageInfo {
  @Field({ description: 'Whether more items follow.' })
  hasNextPage!: boolean;

  @Field({ description: 'Whether items precede: true for every page that was asked for with `after`.' })
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true, description: 'Cursor of the first item; null for an empty page.' })
  startCursor!: string | null;

  @Field(() => String, { nullable: true, description: 'Cursor of the last item; null for an empty page.' })
  endCursor!: string | null;
}

export interface Connection<T> {
  readonly edges: readonly { readonly cursor: string; readonly node: T }[];
  readonly nodes: readonly T[];
  readonly pageInfo: PageInfo;
  readonly totalCount: number;
}

/** The classes `XEdge` and `XConnection` for a node type of the name X. */
export function connectionType<T extends object>(name: string, node: ClassType<T>): ClassType<Connection<T>> {
  @ObjectType(`${name}Edge`, { description: `One ${name} of a page.` })
  class Edge {
    @Field({ description: 'Says where the item lies, for `after`.' })
    cursor!: string;

    @Field(() => node, { description: 'The item.' })
    node!: T;
  }

  @ObjectType(`${name}Connection`, { description: `A page of ${name} items.` })
  class PageOfNodes implements Connection<T> {
    @Field(() => [Edge], { description: 'The items with their cursors.' })
    edges!: Edge[];

    @Field(() => [node], { description: 'The items alone.' })
    nodes!: T[];

    @Field(() => PageInfo, { description: 'Where the page ends.' })
    pageInfo!: PageInfo;

    @Field(() => Int, { description: 'How many items there are on all pages.' })
    totalCount!: number;
  }
  return PageOfNodes;
}

export function pageRequest(args: PageArgs): PageRequest {
  return { first: args.first, after: args.after ?? null };
}

export function toConnection<T>(page: Page<T>, request: PageRequest): Connection<T> {
  return {
    edges: page.items,
    nodes: page.items.map(({ node }) => node),
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: request.after != null,
      startCursor: page.items[0]?.cursor ?? null,
      endCursor: page.items.at(-1)?.cursor ?? null,
    },
    totalCount: page.totalCount,
  };
}

/** Cost of a connection: its own, and that of its items once for each that may come. */
export function connectionCost({
  childComplexity,
  args,
}: {
  childComplexity: number;
  args: { first?: number };
}): number {
  return 1 + (args.first ?? 20) * childComplexity;
}

/** Cost of a list without pages whose usual length is known. */
export function listCost(length: number): (options: { childComplexity: number }) => number {
  return ({ childComplexity }) => 1 + length * childComplexity;
}
