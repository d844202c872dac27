// The same driver without root: the packages are downloaded with apt's own checks of signatures, unpacked into the user's
// cache folder, and found through VK_DRIVER_FILES and LD_LIBRARY_PATH.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { backportsSource, hasApt, installArguments, needsBackports, PACKAGES } from './aptDriver.mjs';
import { runQuietly, runVisibly, say } from './process.mjs';

/** apt with all of its state in `work`, so that no lock or list of the system is touched. */
function privateApt(work) {
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'sources']) {
    mkdirSync(join(work, folder), { recursive: true });
  }
  if (existsSync('/etc/apt/sources.list.d')) {
    cpSync('/etc/apt/sources.list.d', join(work, 'sources'), { recursive: true });
  }
  if (needsBackports()) writeFileSync(join(work, 'sources', 'graft-backports.sources'), backportsSource());
  const options = {
    'Dir::State': join(work, 'state'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': join(work, 'cache'),
    'Dir::Etc::sourceparts': join(work, 'sources'),
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '',
    // A mirror's hook or a container's clean-up would delete what was just downloaded.
    'Binary::apt-get::APT::Keep-Downloaded-Packages': '1',
    'APT::Update::Post-Invoke': '',
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

function findIcd(folder) {
  const place = join(folder, 'usr', 'share', 'vulkan', 'icd.d');
  const name = existsSync(place) ? readdirSync(place).find((entry) => entry.startsWith('lvp_icd')) : undefined;
  return name ? join(place, name) : null;
}

/** The driver's description with the library's path in `folder`, where it will be found. */
function writeIcd(unpacked, folder) {
  const icd = findIcd(unpacked);
  if (!icd) return false;
  const description = JSON.parse(readFileSync(icd, 'utf8'));
  const library = description.ICD.library_path.split('/').at(-1);
  const machine = readdirSync(join(unpacked, 'usr', 'lib')).find((name) =>
    existsSync(join(unpacked, 'usr', 'lib', name, library)),
  );
  if (!machine) return false;
  description.ICD.library_path = join(folder, 'usr', 'lib', machine, library);
  writeFileSync(join(unpacked, 'lvp_icd.json'), `${JSON.stringify(description, null, 2)}\n`);
  return true;
}

/** Downloads and unpacks the driver into `folder`. False where that is not possible here. */
export function unpackDriver(folder) {
  if (!hasApt() || runQuietly('dpkg-deb', ['--version']).code !== 0) return false;
  say(`Without root: downloading ${PACKAGES.join(', ')} and unpacking them into ${folder}. The system is not changed.`);
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(join(dirname(folder), 'mesa-work-'));
  try {
    const apt = privateApt(work);
    if (runVisibly('apt-get', [...apt, '-q', 'update']) !== 0) return false;
    const [verb, ...rest] = installArguments();
    if (runVisibly('apt-get', [...apt, '-q', verb, '--download-only', '--reinstall', ...rest]) !== 0) return false;
    const unpacked = join(work, 'unpacked');
    mkdirSync(unpacked);
    const archives = join(work, 'cache', 'archives');
    for (const name of readdirSync(archives).filter((entry) => entry.endsWith('.deb'))) {
      if (runVisibly('dpkg-deb', ['-x', join(archives, name), unpacked]) !== 0) return false;
    }
    if (!writeIcd(unpacked, folder)) return false;
    // Replaced whole, so that a half-done attempt never counts.
    rmSync(folder, { recursive: true, force: true });
    renameSync(unpacked, folder);
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
