import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildSchema, parse, validate } from 'graphql';
import * as operations from '../../src/demo/operations.js';

test('every operation of the demo is one of schema.graphql', () => {
  const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
  const entries = Object.entries(operations);
  assert.ok(entries.length > 10);
  for (const [name, { text }] of entries) assert.deepEqual(validate(schema, parse(text)), [], name);
});
