import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, platform, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, loadConfig } from '../config.js';
import type { AdapterDescription } from '../kernels/adapter.js';
import type { KernelFamily } from '../kernels/engine.js';
import { graftVersion } from '../version.js';

export interface Probe {
  readonly adapter: AdapterDescription | null;
  readonly kernelFamily: KernelFamily | null;
  readonly error: string | null;
}

/** Something that keeps Graft from working, or from working well, and what to do about it. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly problem: string;
  readonly remedy: string;
}

export interface DoctorReport extends Probe {
  /** True where no finding is an error. */
  readonly ok: boolean;
  readonly backend: string;
  readonly versions: { readonly graft: string; readonly node: string; readonly webgpu: string };
  readonly system: { readonly platform: string; readonly cores: number; readonly memoryBytes: number };
  readonly dataFolder: {
    readonly path: string;
    readonly exists: boolean;
    readonly writable: boolean;
    readonly freeBytes: number;
  } | null;
  readonly findings: readonly Finding[];
}

const PROBE_MS = 60_000;
const LITTLE_SPACE = 2 * 2 ** 30;

function backend(): string {
  switch (platform()) {
    case 'darwin':
      return 'Metal';
    case 'win32':
      return 'Direct3D 12';
    default:
      return 'Vulkan';
  }
}

function webgpuVersion(): string {
  const path = createRequire(import.meta.url).resolve('webgpu/package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function runProbe(adapter: string | null): Probe {
  const script = fileURLToPath(new URL('./probe.js', import.meta.url));
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [script, ...(adapter === null ? [] : [adapter])],
    {
      encoding: 'utf8',
      timeout: PROBE_MS,
    },
  );
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Probe;
  } catch {
    const how = signal ? `was ended by ${signal}` : `exited with ${status}`;
    const last = stderr.trim().split('\n').at(-1);
    return {
      adapter: null,
      kernelFamily: null,
      error: `The driver failed: the probe ${how}${last ? `: ${last}` : ''}`,
    };
  }
}

/** The folder, or the nearest one above it that exists: there it will be made. */
function nearestFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path));
}

function examineDataFolder(path: string): NonNullable<DoctorReport['dataFolder']> {
  const nearest = nearestFolder(path);
  let writable = true;
  try {
    accessSync(nearest, constants.W_OK);
  } catch {
    writable = false;
  }
  const { bavail, bsize } = statfsSync(nearest);
  return { path, exists: existsSync(path), writable, freeBytes: bavail * bsize };
}

function findingsOf(probe: Probe, folder: DoctorReport['dataFolder'], configProblems: readonly string[]): Finding[] {
  const findings: Finding[] = configProblems.map((problem) => ({
    severity: 'error',
    problem,
    remedy: 'Correct the environment variable; docs/configuration.md lists them all.',
  }));
  if (!probe.adapter) {
    findings.push({
      severity: 'error',
      problem: probe.error ?? 'No WebGPU adapter answers.',
      remedy:
        platform() === 'linux'
          ? 'Install the driver of your GPU, or the software driver: npm run setup'
          : 'Install the newest driver of your GPU from its maker.',
    });
  } else if (probe.adapter.isSoftware) {
    findings.push({
      severity: 'warning',
      problem: 'The adapter computes on the CPU: training is many times slower than on a GPU.',
      remedy: 'Where there is a GPU, install its Vulkan driver; the README says how.',
    });
  }
  if (folder && !folder.writable) {
    findings.push({
      severity: 'error',
      problem: `The data folder ${folder.path} cannot be written.`,
      remedy: 'Allow writing there, or name another by GRAFT_DATA_DIR.',
    });
  }
  if (folder && folder.freeBytes < LITTLE_SPACE) {
    findings.push({
      severity: 'warning',
      problem: `Only ${(folder.freeBytes / 2 ** 20).toFixed(0)} MiB are free for the data folder ${folder.path}.`,
      remedy: 'Make room, or name a folder on another disk by GRAFT_DATA_DIR.',
    });
  }
  return findings;
}

/** Looks at everything that Graft needs. Changes nothing. */
export function examine(env: Readonly<Record<string, string | undefined>>): DoctorReport {
  let adapter: string | null = null;
  let dataFolder: DoctorReport['dataFolder'] = null;
  let configProblems: readonly string[] = [];
  try {
    const config = loadConfig(env);
    dataFolder = examineDataFolder(config.dataDir);
    adapter = config.adapter;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    configProblems = error.problems;
  }
  const probe = runProbe(adapter);
  const findings = findingsOf(probe, dataFolder, configProblems);
  return {
    ok: findings.every(({ severity }) => severity !== 'error'),
    ...probe,
    backend: backend(),
    versions: { graft: graftVersion(), node: process.versions.node, webgpu: webgpuVersion() },
    system: {
      platform: `${platform()} ${arch()} ${release()}`,
      cores: availableParallelism(),
      memoryBytes: totalmem(),
    },
    dataFolder,
    findings,
  };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** The report for people. */
export function renderReport(report: DoctorReport): string {
  const { adapter, dataFolder, versions, system } = report;
  const lines = [
    `Graft ${versions.graft}, Node ${versions.node}, Dawn (webgpu) ${versions.webgpu}`,
    `System       ${system.platform}, ${system.cores} cores, ${gib(system.memoryBytes)} memory`,
  ];
  if (adapter) {
    const subgroups = `${adapter.subgroupMinSize} to ${adapter.subgroupMaxSize}`;
    lines.push(
      `Adapter      ${adapter.description || adapter.device} (${adapter.isSoftware ? 'software' : 'GPU'})`,
      `Driver       ${[adapter.vendor, adapter.architecture, adapter.device].filter(Boolean).join(', ')}`,
      `Backend      ${report.backend}`,
      `Kernels      ${report.kernelFamily}; subgroups of ${subgroups}`,
      `Features     ${[...adapter.features].sort().join(', ')}`,
      'Limits',
      ...Object.entries(adapter.limits).map(([name, value]) => `  ${name} ${value}`),
    );
  }
  if (dataFolder) {
    const state = dataFolder.exists ? 'exists' : 'will be made';
    lines.push(`Data folder  ${dataFolder.path} (${state}, ${gib(dataFolder.freeBytes)} free)`);
  }
  for (const { severity, problem, remedy } of report.findings) {
    lines.push('', `${severity.toUpperCase()}: ${problem}`, `  ${remedy}`);
  }
  lines.push('', report.ok ? 'Graft can work here.' : 'Graft cannot work here yet.');
  return lines.join('\n');
}
