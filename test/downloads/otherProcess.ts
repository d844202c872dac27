// Downloads one file in a process of its own: otherProcess.js FOLDER URL SHA256, and prints the hash of what it got.
import { downloader } from './fixtures.js';
import { sha256 } from './fileServer.js';

const [folder = '', url = '', hex = ''] = process.argv.slice(2);
const bytes = await downloader(folder).read({
  name: 'file.bin',
  addresses: [{ url, isRestricted: false }],
  digest: { algorithm: 'sha256', hex },
  size: null,
});
process.stdout.write(sha256(bytes));
process.exit();
