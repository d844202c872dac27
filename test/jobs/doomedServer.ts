/** A server that begins a run, tells its parent, and waits to be killed. */
import { fakeServices, testConfig, underWay } from '../services/fixtures.js';

const [dataDir, networkId, datasetId] = process.argv.slice(2) as [string, string, string];
const services = await fakeServices(testConfig(dataDir));
const { id } = await services.train({ networkId, datasetId, options: { epochs: 40, maxSeconds: 1 } });
await underWay(services, id);
const { description } = await services.device();
process.send?.({ runId: id, pid: Number(/\d+/.exec(description ?? '')?.[0]) });
setInterval(() => undefined, 1000);
