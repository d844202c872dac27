// Mesa's software Vulkan driver through apt (Debian, Ubuntu), as root or with sudo.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly, runVisibly, say } from './process.mjs';

export const PACKAGES = ['mesa-vulkan-drivers', 'libvulkan1'];
const SOURCES_FILE = '/etc/apt/sources.list.d/graft-backports.sources';

/** /etc/os-release as an object. */
export function osRelease() {
  if (!existsSync('/etc/os-release')) return {};
  const lines = readFileSync('/etc/os-release', 'utf8').split('\n');
  return Object.fromEntries(
    lines
      .filter((line) => line.includes('='))
      .map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1).replace(/^"|"$/g, '')];
      }),
  );
}

/**
 * Debian 12's own Mesa (22.3) lacks what Dawn asks for (dynamic indexing of uniform and storage buffer arrays); the one in
 * its backports has it.
 */
export function needsBackports() {
  const { ID, VERSION_ID } = osRelease();
  return ID === 'debian' && VERSION_ID === '12';
}

function aptSources() {
  const parts = '/etc/apt/sources.list.d';
  const files = existsSync(parts)
    ? readdirSync(parts)
        .filter((name) => /\.(list|sources)$/.test(name))
        .map((name) => join(parts, name))
    : [];
  return ['/etc/apt/sources.list', ...files]
    .filter(existsSync)
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

function hasBackportsSource() {
  return aptSources()
    .split('\n')
    .some((line) => !line.trimStart().startsWith('#') && /\bbookworm-backports\b/.test(line));
}

/** The backports come from the mirror that the system already uses. */
export function backportsSource() {
  const mirror = /https?:\/\/\S+\/debian\/?(?=\s)/.exec(aptSources().replace(/^\s*#.*$/gm, ''))?.[0];
  return [
    'Types: deb',
    `URIs: ${mirror ?? 'http://deb.debian.org/debian'}`,
    'Suites: bookworm-backports',
    'Components: main',
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
    '',
  ].join('\n');
}

export function installArguments() {
  const release = needsBackports() ? ['-t', 'bookworm-backports'] : [];
  return ['install', '-y', '--no-install-recommends', ...release, ...PACKAGES];
}

/** The steps as a shell line: what is run, and what is printed where we may not run it. */
function shellLine() {
  const steps = [];
  if (needsBackports() && !hasBackportsSource()) {
    steps.push(`printf '${backportsSource().replaceAll('\n', '\\n')}' > ${SOURCES_FILE}`);
  }
  steps.push('apt-get update', `DEBIAN_FRONTEND=noninteractive apt-get ${installArguments().join(' ')}`);
  return steps.join(' && ');
}

export function hasApt() {
  return runQuietly('apt-get', ['--version']).code === 0;
}

/** The one command to type for this distribution. */
export function systemInstallCommand() {
  if (hasApt()) {
    const isRoot = process.getuid?.() === 0;
    return isRoot ? shellLine() : `sudo sh -c "${shellLine().replace(/["$`\\]/g, '\\$&')}"`;
  }
  const { ID = '', ID_LIKE = '' } = osRelease();
  const family = `${ID} ${ID_LIKE}`;
  if (/fedora|rhel/.test(family)) return 'sudo dnf install mesa-vulkan-drivers vulkan-loader';
  if (/arch/.test(family)) return 'sudo pacman -S vulkan-swrast vulkan-icd-loader';
  if (/suse/.test(family)) return 'sudo zypper install libvulkan_lvp libvulkan1';
  if (/alpine/.test(family)) return 'Alpine is not supported: the WebGPU library needs glibc. Use Debian or Ubuntu';
  return "install your distribution's package of Mesa's Vulkan drivers (lavapipe) and the Vulkan loader";
}

/** What helps where the distribution's newest Mesa is installed and still too old for Dawn. */
export function newerMesaCommand() {
  const steps =
    'add-apt-repository -y ppa:kisak/kisak-mesa && apt-get update && apt-get install -y mesa-vulkan-drivers';
  return osRelease().ID === 'ubuntu' && hasApt() ? `sudo sh -c "${steps}"` : null;
}

/** How to become root: nothing needed, sudo without a question, sudo that may ask, or not at all (null). */
function elevation() {
  if (process.getuid?.() === 0) return [];
  if (runQuietly('sudo', ['-n', 'true']).code === 0) return ['sudo', '-n'];
  const canAsk = process.stdin.isTTY && process.stderr.isTTY && !process.env.CI;
  return canAsk && runQuietly('sudo', ['-V']).code === 0 ? ['sudo'] : null;
}

/** Installs the driver for the whole system. False where that is not possible here. */
export function installSystemDriver() {
  if (!hasApt()) return false;
  const prefix = elevation();
  if (!prefix) return false;
  const { PRETTY_NAME = 'this system' } = osRelease();
  const how = prefix.length > 0 ? 'with sudo' : 'as root';
  say(`Installing Mesa's software Vulkan driver on ${PRETTY_NAME} ${how}: ${PACKAGES.join(', ')}.`);
  if (needsBackports() && !hasBackportsSource()) say(`It comes from bookworm-backports, added as ${SOURCES_FILE}.`);
  say(`Command: ${shellLine()}`);
  const [command, ...args] = [...prefix, 'sh', '-c', shellLine()];
  if (runVisibly(command, args) === 0) return true;
  say('That failed; its message is above.');
  return false;
}
