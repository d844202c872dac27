import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import {
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isIntrospectionType,
  isObjectType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { createSchema } from '../../src/resolvers/schema.js';

describe('the schema', () => {
  let schema: GraphQLSchema;
  before(async () => {
    schema = await createSchema();
  });

  test('is the one in schema.graphql', () => {
    const committed = readFileSync('schema.graphql', 'utf8').replace(/^#.*\n\n/, '');
    assert.equal(committed.trim(), printSchema(lexicographicSortSchema(schema)).trim(), 'run `npm run schema`');
  });

  test('describes every type, field, argument and enum value', () => {
    const missing: string[] = [];
    for (const type of Object.values(schema.getTypeMap())) {
      if (isIntrospectionType(type) || ['Query', 'Mutation', 'Subscription'].includes(type.name)) {
        if (isIntrospectionType(type)) continue;
      } else if (!type.description) missing.push(type.name);
      if (isObjectType(type) || isInputObjectType(type)) {
        for (const field of Object.values(type.getFields())) {
          if (!field.description) missing.push(`${type.name}.${field.name}`);
        }
      }
      if (isEnumType(type)) {
        for (const value of type.getValues()) if (!value.description) missing.push(`${type.name}.${value.name}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  test('pages every list that grows, by the convention of Relay', () => {
    for (const name of ['networks', 'datasets', 'runs', 'evaluations']) {
      const type = schema.getQueryType()?.getFields()[name]?.type.toString();
      assert.match(type ?? '', /^\w+Connection!$/);
    }
  });
});
