import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { buildSchema, Kind, parse } from 'graphql';
import sharp from 'sharp';
import type { Services } from '../../src/services/api.js';
import { ended, fakeServices, testConfig } from '../services/fixtures.js';
import { zip } from '../services/zip.js';
import { temporaryFolder } from '../store/fixtures.js';
import { startTestServer, type TestServer } from './fixtures.js';

interface Example {
  readonly name: string;
  readonly root: string;
  readonly query: string;
  readonly variables: string;
}

const text = readFileSync('docs/api.md', 'utf8');

/** The GraphQL blocks of the page, each with the JSON block right after it, if there is one. */
const examples: readonly Example[] = [...text.matchAll(/```graphql\n([\s\S]*?)```(?:\s*```json\n([\s\S]*?)```)?/g)].map(
  ([, query = '', variables = '{}']) => {
    const [operation] = parse(query).definitions;
    assert.ok(operation?.kind === Kind.OPERATION_DEFINITION && operation.name, query);
    const [field] = operation.selectionSet.selections;
    assert.ok(field?.kind === Kind.FIELD);
    return { name: operation.name.value, root: field.name.value, query, variables };
  },
);
const commands = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, command = '']) => command.trim());

/** What later examples need of an answer. */
const CAPTURE: Record<string, (data: never) => Record<string, string>> = {
  CreateDataset: ({ createDataset }: { createDataset: { id: string } }) => ({ datasetId: createDataset.id }),
  CreateNetwork: ({ createNetwork }: { createNetwork: { id: string } }) => ({ networkId: createNetwork.id }),
  Freeze: () => ({}),
  ReplaceHead: ({ replaceHead }: { replaceHead: { id: string } }) => ({ revisionId: replaceHead.id }),
  ForkNetwork: ({ forkNetwork }: { forkNetwork: { id: string } }) => ({ forkId: forkNetwork.id }),
  Train: ({ train }: { train: { id: string } }) => ({ runId: train.id }),
  Run: ({ run }: { run: { bestRevision: { id: string } } }) => ({ bestRevisionId: run.bestRevision.id }),
  ExportRevision: ({ exportRevision }: { exportRevision: { url: string } }) => ({ exportUrl: exportRevision.url }),
};

const picture = (background: string) =>
  sharp({ create: { width: 40, height: 30, channels: 3, background } })
    .png()
    .toBuffer();

async function shapesZip(): Promise<Buffer> {
  const files: Record<string, Uint8Array> = {};
  for (const [label, red] of [
    ['circles', 0],
    ['squares', 128],
  ] as const) {
    for (let i = 0; i < 10; i++) files[`${label}/${i}.png`] = await picture(`rgb(${red}, ${i * 20}, 60)`);
  }
  return zip(files);
}

describe('the examples of docs/api.md', () => {
  const ids: Record<string, string> = {};
  const work = mkdtempSync(join(tmpdir(), 'graft-examples-'));
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  let server: TestServer;
  before(async () => {
    folder = await temporaryFolder();
    services = await fakeServices(testConfig(folder.path));
    server = await startTestServer(services);
    writeFileSync(join(work, 'shapes.zip'), await shapesZip());
    ids.pictureUploadId = await upload('a.png', await picture('#123456'));
  });
  after(async () => {
    await server.stop();
    await services.close();
    await folder.remove();
    rmSync(work, { recursive: true });
  });

  async function upload(name: string, content: Uint8Array): Promise<string> {
    const form = new FormData();
    form.append('file', new Blob([content as Uint8Array<ArrayBuffer>]), name);
    const headers = { 'apollo-require-preflight': 'true' };
    const response = await fetch(`${server.url}/uploads`, { method: 'POST', headers, body: form });
    return ((await response.json()) as { uploads: { id: string }[] }).uploads[0]?.id as string;
  }

  function fill(template: string): string {
    return template.replace(/<(\w+)>/g, (_, name: string) => {
      assert.ok(ids[name], `an earlier answer gave ${name}`);
      return ids[name] as string;
    });
  }

  async function answer({ query, variables }: Example): Promise<Record<string, unknown>[]> {
    const values = JSON.parse(fill(variables)) as Record<string, unknown>;
    if (!query.startsWith('subscription')) {
      const { data, errors } = await server.query(query, values);
      assert.deepEqual(errors, []);
      return [data as Record<string, unknown>];
    }
    const client = server.socketClient();
    const results: Record<string, unknown>[] = [];
    for await (const { data, errors } of client.iterate({ query, variables: values })) {
      assert.equal(errors, undefined);
      results.push(data as Record<string, unknown>);
    }
    await client.dispose();
    return results;
  }

  /** Runs a shell example against this server; returns what it printed. */
  async function shell(command: string): Promise<string> {
    const local = fill(command).replaceAll(/(http:\/\/)?localhost:4000/g, server.url);
    return (await promisify(execFile)('sh', ['-c', local], { cwd: work })).stdout;
  }

  const hasCurl = spawnSync('curl', ['--version']).status === 0 && spawnSync('sh', ['-c', 'true']).status === 0;

  test('the shell examples send operations and files', {
    skip: hasCurl ? false : 'curl or sh is not installed',
  }, async () => {
    const [zoo, send] = commands as [string, string];
    assert.ok((JSON.parse(await shell(zoo)) as { data: { zoo: unknown[] } }).data.zoo.length > 0);
    const { uploads } = JSON.parse(await shell(send)) as { uploads: { filename: string; bytes: number }[] };
    assert.equal(uploads[0]?.filename, 'shapes.zip');
    assert.equal(uploads[0]?.bytes, statSync(join(work, 'shapes.zip')).size);
  });

  test('every query, mutation and subscription has an example', () => {
    const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
    const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
    const all = roots.flatMap((type) => Object.keys(type?.getFields() ?? {})).sort();
    assert.deepEqual([...new Set(examples.map(({ root }) => root))].sort(), all);
  });

  for (const example of examples) {
    test(example.name, async () => {
      ids.uploadId ??= await upload('shapes.zip', await shapesZip());
      // The run of the page is over by then.
      if (example.name === 'CancelRun') ids.runId = await startLongRun();
      const results = await answer(example);
      assert.ok(results.length > 0);
      for (const result of results) assert.notEqual(result[example.root], null, JSON.stringify(result));
      Object.assign(ids, CAPTURE[example.name]?.(results[0] as never) ?? {});
      if (example.name === 'TrainAugmented') await ended(services, (results[0] as { train: { id: string } }).train.id);
      if (example.name === 'CancelRun') await ended(services, ids.runId as string);
      if (example.name === 'Freeze') await findLastLayer();
      if (example.name === 'ExportRevision') await fetchExport();
    });
  }

  async function startLongRun(): Promise<string> {
    const input = { networkId: ids.networkId as string, datasetId: ids.datasetId as string };
    return (await services.train({ ...input, options: { epochs: 100, maxSeconds: 60 } })).id;
  }

  async function findLastLayer(): Promise<void> {
    const { data } = await server.query<{
      network: { headRevision: { layers: { name: string; parameters: number }[] } };
    }>('query ($id: ID!) { network(id: $id) { headRevision { layers { name parameters } } } }', { id: ids.networkId });
    ids.lastLayer = data?.network.headRevision.layers.findLast(({ parameters }) => parameters > 0)?.name as string;
  }

  async function fetchExport(): Promise<void> {
    const response = await fetch(`${server.url}${ids.exportUrl}`);
    const content = new Uint8Array(await response.arrayBuffer());
    assert.match(response.headers.get('content-disposition') ?? '', /^attachment; filename=".+\.safetensors"/);
    ids.exportUploadId = await upload('exported.safetensors', content);
    if (!hasCurl) return;
    await shell(commands[2] as string);
    assert.deepEqual(
      new Uint8Array(readFileSync(join(work, (ids.exportUrl as string).split('/').at(-1) as string))),
      content,
    );
  }
});
