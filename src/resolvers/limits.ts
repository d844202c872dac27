import { createRequire } from 'node:module';
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type SelectionSetNode,
  type ValidationRule,
} from 'graphql';
import type * as Complexity from 'graphql-query-complexity';

// The package's ES module loads a second copy of graphql, whose classes are not those of our schema.
const { fieldExtensionsEstimator, getComplexity, simpleEstimator } = createRequire(import.meta.url)(
  'graphql-query-complexity',
) as typeof Complexity;

/** What one operation may ask for, over HTTP and WebSocket alike. */
export const LIMITS = {
  /** Fields within fields. */
  depth: 12,
  /** Values that may have to be computed: fields times the items of the lists around them. */
  cost: 20_000,
  /** Names and punctuation of the text. */
  tokens: 5_000,
} as const;

/** Refuses operations whose fields are nested too deeply. Introspection is not counted: its own depth is fixed. */
export const depthRule: ValidationRule = (context) => {
  const fragmentDepths = new Map<string, number>();
  const depthOfFragment = (fragment: FragmentDefinitionNode): number => {
    const name = fragment.name.value;
    const known = fragmentDepths.get(name);
    if (known !== undefined) return known;
    // A fragment within itself is another rule's error; here it must only end.
    fragmentDepths.set(name, 0);
    const depth = depthOf(fragment.selectionSet);
    fragmentDepths.set(name, depth);
    return depth;
  };
  const depthOf = (set: SelectionSetNode): number => {
    let deepest = 0;
    for (const selection of set.selections) {
      let depth = 0;
      if (selection.kind === Kind.FIELD) {
        const isIntrospection = selection.name.value.startsWith('__');
        depth = isIntrospection ? 0 : 1 + (selection.selectionSet ? depthOf(selection.selectionSet) : 0);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        depth = depthOf(selection.selectionSet);
      } else {
        const fragment = context.getFragment(selection.name.value);
        if (fragment) depth = depthOfFragment(fragment);
      }
      deepest = Math.max(deepest, depth);
    }
    return deepest;
  };
  return {
    OperationDefinition(node) {
      const depth = depthOf(node.selectionSet);
      if (depth <= LIMITS.depth) return;
      context.reportError(
        new GraphQLError(
          `The operation is ${depth} fields deep; ${LIMITS.depth} are allowed. Ask for the inner objects by their ids.`,
          { nodes: node, extensions: { code: 'OPERATION_TOO_DEEP' } },
        ),
      );
    },
  };
};

/** Throws where an operation that is valid would cost too much. */
export function assertAffordable(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Record<string, unknown> | null | undefined,
): void {
  const cost = getComplexity({
    schema,
    query: document,
    operationName: operationName ?? undefined,
    variables: variables ?? {},
    estimators: [fieldExtensionsEstimator(), simpleEstimator({ defaultComplexity: 1 })],
  });
  if (cost <= LIMITS.cost) return;
  throw new GraphQLError(
    `The operation may cost ${cost} values; ${LIMITS.cost} are allowed. Ask for smaller pages (first) or fewer fields.`,
    { extensions: { code: 'OPERATION_TOO_COSTLY', http: { status: 400 } } },
  );
}
