import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ServiceError, type Services } from '../../src/services/api.js';
import { temporaryFolder } from '../store/fixtures.js';
import { ended, fakeServices, importSmall, insertPictures, testConfig, underWay, upload } from './fixtures.js';

const CLASSES = ['red', 'green', 'blue'];
const hasCode =
  (code: string, message = /./) =>
  (error: unknown) =>
    error instanceof ServiceError && error.code === code && message.test(error.message);

describe('training, evaluating, predicting: what is asked', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  let networkId: string;
  let datasetId: string;
  let uploadId: string;
  before(async () => {
    folder = await temporaryFolder();
    services = await fakeServices(testConfig(folder.path, { maxQueuedRuns: 2, requestTimeoutMs: 2000 }));
    networkId = (await importSmall(services, CLASSES)).id;
    datasetId = await insertPictures(folder.path, CLASSES);
    uploadId = (await upload(services, 'a.png', Buffer.from('a'))).id;
  });
  after(async () => {
    await services.close();
    await folder.remove();
  });

  test('options out of range are named, and so are those that do not exist', async () => {
    const train = (options: object) => services.train({ networkId, datasetId, options });
    await assert.rejects(
      train({ epochs: 0, learningRate: -1 }),
      hasCode('BAD_USER_INPUT', /epochs is 0.*learningRate is -1/),
    );
    await assert.rejects(train({ epoch: 3 }), hasCode('BAD_USER_INPUT', /epoch; known are epochs/));
    await assert.rejects(
      train({ classWeights: [1, 2] }),
      hasCode('BAD_USER_INPUT', /classWeights has 2 weights; the network has 3 classes/),
    );
    await assert.rejects(
      train({ augmentation: { rotation: 200, blur: 1 } }),
      hasCode('BAD_USER_INPUT', /augmentation\.blur is unknown.*augmentation\.rotation is 200/),
    );
    assert.equal((await services.runs({}, { first: 1 })).totalCount, 0, 'nothing was queued');
  });

  test("the network's classes must be the data set's", async () => {
    const other = await insertPictures(folder.path, ['green', 'red', 'blue']);
    const mismatch = hasCode('BAD_USER_INPUT', /\(red, green, blue\).*\(green, red, blue\).*Replace the head/);
    await assert.rejects(services.train({ networkId, datasetId: other }), mismatch);
    await assert.rejects(services.evaluate({ networkId, datasetId: other, split: 'test' }), mismatch);
  });

  test('what does not exist or does not belong together is refused', async () => {
    const other = await importSmall(services, CLASSES);
    await assert.rejects(services.train({ networkId: 'nothing', datasetId }), hasCode('NOT_FOUND', /network/));
    await assert.rejects(services.train({ networkId, datasetId: 'nothing' }), hasCode('NOT_FOUND', /data set/));
    await assert.rejects(
      services.train({ networkId, revisionId: other.headRevisionId, datasetId }),
      hasCode('BAD_USER_INPUT', /belongs to the network/),
    );
    await assert.rejects(services.predict({ networkId, uploadIds: ['nothing'] }), hasCode('NOT_FOUND', /upload/));
    await assert.rejects(services.predict({ networkId, uploadIds: [] }), hasCode('BAD_USER_INPUT', /1 to 1000/));
    await assert.rejects(
      services.predict({ networkId, uploadIds: [uploadId], topK: 0 }),
      hasCode('BAD_USER_INPUT', /topK/),
    );
  });

  test('an empty split and a network that is wholly frozen are refused before anything is queued', async () => {
    const small = await insertPictures(folder.path, CLASSES, 2);
    await assert.rejects(
      services.evaluate({ networkId, datasetId: small, split: 'test' }),
      hasCode('BAD_USER_INPUT', /no pictures in its test split/),
    );
    const empty = await insertPictures(folder.path, CLASSES, 0);
    await assert.rejects(services.train({ networkId, datasetId: empty }), hasCode('BAD_USER_INPUT', /train split/));
    const frozen = await importSmall(services, CLASSES);
    await services.freeze(frozen.id, { all: true });
    await assert.rejects(
      services.train({ networkId: frozen.id, datasetId }),
      hasCode('BAD_USER_INPUT', /Every layer of this revision is frozen/),
    );
  });

  test('the queue has an end', async () => {
    const train = () => services.train({ networkId, datasetId, options: { epochs: 1000, maxSeconds: 60 } });
    const going = await train();
    await underWay(services, going.id);
    const waiting = [await train(), await train()];
    await assert.rejects(train(), hasCode('LIMIT_EXCEEDED', /GRAFT_MAX_QUEUED_RUNS/));
    for (const { id } of [...waiting, going]) await services.cancelRun(id);
    await ended(services, going.id);
    const page = await services.runs({ networkId }, { first: 2 });
    assert.equal(page.totalCount, 3);
    assert.deepEqual(
      page.items.map(({ node }) => node.id),
      [waiting[1]?.id, waiting[0]?.id],
    );
    assert.equal((await services.runs({ datasetId: 'other' }, { first: 2 })).totalCount, 0);
  });

  test('a request that takes too long is given up, and the next one is served', async () => {
    const slow = await importSmall(services, ['slow', 'x']);
    await assert.rejects(
      services.predict({ networkId: slow.id, uploadIds: [uploadId] }),
      hasCode('TIMEOUT', /GRAFT_REQUEST_SECONDS/),
    );
    assert.equal((await services.predict({ networkId, uploadIds: [uploadId] })).length, 1);
  });

  test('evaluations are kept and found by revision and data set', async () => {
    const made = await services.evaluate({ networkId, datasetId, split: 'test' });
    assert.equal(made.result.pictures, 12);
    const validation = await services.evaluate({ networkId, datasetId, split: 'validation' });
    const ids = async (filter: Parameters<Services['evaluations']>[0]) =>
      (await services.evaluations(filter, { first: 10 })).items.map(({ node }) => node.id);
    assert.deepEqual(await ids({ datasetId }), [validation.id, made.id]);
    assert.deepEqual(await ids({ revisionIds: [made.revisionId] }), [validation.id, made.id]);
    assert.deepEqual(await ids({ revisionIds: [] }), []);
    assert.deepEqual(await ids({ datasetId: 'other' }), []);
  });
});
