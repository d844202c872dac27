// Known vulnerabilities in what users run (`npm audit --omit=dev`). A registry without an audit service (a mirror, no
// network) is reported and tolerated: it says nothing about the dependencies.
import { root, runQuietly } from './setup/process.mjs';

const npm = process.env.npm_execpath;
const args = ['audit', '--omit=dev', '--json', '--audit=true'];
const { stdout, stderr } = npm
  ? runQuietly(process.execPath, [npm, ...args])
  : runQuietly('npm', args, { cwd: root, shell: process.platform === 'win32' });

let report = null;
try {
  report = JSON.parse(stdout);
} catch {
  // Not a report: handled below with what npm said.
}
if (!report?.metadata) {
  const reason = report?.message ?? report?.error?.summary ?? stderr.trim().split('\n').at(-1);
  console.log(`audit: NOT CHECKED, the registry gave no audit report (${reason}).`);
} else {
  const { high, critical, moderate, low } = report.metadata.vulnerabilities;
  for (const [name, entry] of Object.entries(report.vulnerabilities))
    console.log(`${entry.severity}: ${name} ${entry.range}`);
  console.log(`audit: ${critical} critical, ${high} high, ${moderate} moderate, ${low} low`);
  process.exitCode = high + critical > 0 ? 1 : 0;
}
