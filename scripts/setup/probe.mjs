// Asks Dawn for a WebGPU adapter and prints one line of JSON. Runs as a child: a broken driver can end the process.
import { create } from 'webgpu';

const gpu = create([]);
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
let result = null;
if (adapter) {
  // A driver can list an adapter and still refuse a device.
  const device = await adapter.requestDevice();
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  result = { vendor, architecture, description, isSoftware: isFallbackAdapter === true };
  device.destroy();
}
process.stdout.write(`${JSON.stringify({ adapter: result })}\n`);
process.exit(0);
