import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { buildSchema, Kind, parse, validate } from 'graphql';
import sharp from 'sharp';
import type { Services } from '../../src/services/api.js';
import { startTestServer, type TestServer } from '../server/fixtures.js';
import { ended, fakeServices, testConfig } from '../services/fixtures.js';
import { zip } from '../services/zip.js';
import { temporaryFolder } from '../store/fixtures.js';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/```graphql\n([\s\S]*?)```\s*```json\n([\s\S]*?)```/g)];

/** Which id of an answer later variables of the tour mean. */
const CAPTURE: Record<string, readonly [name: string, path: readonly string[]]> = {
  CreateDataset: ['datasetId', ['createDataset', 'id']],
  CreateNetwork: ['networkId', ['createNetwork', 'id']],
  Train: ['runId', ['train', 'id']],
  Run: ['revisionId', ['run', 'bestRevision', 'id']],
};

const follow = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((at, key) => (at as Record<string, unknown> | null)?.[key], value);

const picture = (red: number, green: number) =>
  sharp({ create: { width: 20, height: 20, channels: 3, background: { r: red, g: green, b: 90 } } })
    .png()
    .toBuffer();

describe('the tour of README.md', () => {
  const ids: Record<string, string> = {};
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  let server: TestServer;

  before(async () => {
    folder = await temporaryFolder();
    services = await fakeServices(testConfig(folder.path));
    server = await startTestServer(services);
    const files: Record<string, Uint8Array> = {};
    for (const [label, red] of Object.entries({ cats: 10, dogs: 200 })) {
      for (let i = 0; i < 10; i++) files[`${label}/${i}.png`] = await picture(red, 20 * i);
    }
    ids.uploadId = await upload('pictures.zip', zip(files));
    ids.pictureUploadId = await upload('cat.png', await picture(10, 5));
  });
  after(async () => {
    await server.stop();
    await services.close();
    await folder.remove();
  });

  async function upload(name: string, content: Uint8Array): Promise<string> {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(content)]), name);
    const headers = { 'apollo-require-preflight': 'true' };
    const response = await fetch(`${server.url}/uploads`, { method: 'POST', headers, body: form });
    return ((await response.json()) as { uploads: { id: string }[] }).uploads[0]?.id as string;
  }

  async function answers(query: string, variables: Record<string, unknown>): Promise<unknown[]> {
    if (!query.startsWith('subscription')) {
      const { data, errors } = await server.query(query, variables);
      assert.deepEqual(errors, []);
      return [data];
    }
    const client = server.socketClient();
    const events: unknown[] = [];
    for await (const { data, errors } of client.iterate({ query, variables })) {
      assert.equal(errors, undefined);
      events.push(data);
    }
    await client.dispose();
    return events;
  }

  test('has all operations that the product promises, each valid', () => {
    const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
    assert.equal([...readme.matchAll(/```graphql/g)].length, blocks.length, 'every operation has variables');
    assert.ok(blocks.length >= 8, `${blocks.length} operations`);
    for (const [, query = ''] of blocks) assert.deepEqual(validate(schema, parse(query)), [], query);
  });

  for (const [, query = '', variables = ''] of blocks) {
    const [operation] = parse(query).definitions;
    const name = operation?.kind === Kind.OPERATION_DEFINITION ? (operation.name?.value ?? '') : '';
    test(name, async () => {
      const filled = variables.replace(/<(\w+)>/g, (_, id: string) => {
        assert.ok(ids[id], `an earlier answer gave ${id}`);
        return ids[id] as string;
      });
      if (name === 'Run') await ended(services, ids.runId as string);
      const results = await answers(query, JSON.parse(filled) as Record<string, unknown>);
      assert.ok(results.length > 0);
      const capture = CAPTURE[name];
      if (!capture) return;
      const [id, path] = capture;
      ids[id] = follow(results[0], path) as string;
      assert.equal(typeof ids[id], 'string', JSON.stringify(results[0]));
    });
  }

  test('links only to files that are there', () => {
    for (const [, path = ''] of readme.matchAll(/\]\((?!http)([^)#]+)\)/g))
      assert.ok(readFileSync(path).length > 0, path);
  });
});
