import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DoctorReport } from '../../src/doctor/report.js';

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'graft-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function environment(changes: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, GRAFT_DATA_DIR: join(folder, 'data'), GRAFT_PORT: '0', GRAFT_LOG_LEVEL: 'warn', ...changes };
}

function graft(args: readonly string[], env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', env: environment(env) });
}

describe('the command line', () => {
  test('help and version', () => {
    const help = graft(['--help']);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /Usage: graft COMMAND/);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.deepEqual([graft(['--version']).stdout, graft(['-v']).stdout], [`${version}\n`, `${version}\n`]);
  });

  test('what is not understood is named, with the help, and exit code 2', () => {
    for (const [args, message] of [
      [[], /command is missing/],
      [['grow'], /no command "grow"/],
      [['start', 'now'], /start takes no "now"/],
      [['doctor', '--jsn'], /--jsn/],
    ] as const) {
      const { status, stderr } = graft(args);
      assert.equal(status, 2);
      assert.match(stderr, message);
      assert.match(stderr, /Usage: graft COMMAND/);
    }
  });

  test('a wrong setting is named, without a stack', () => {
    const { status, stderr } = graft(['start'], { GRAFT_PORT: 'eighty' });
    assert.equal(status, 1);
    assert.match(stderr, /GRAFT_PORT is "eighty"/);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
});

describe('graft doctor', () => {
  test('reports the adapter, the data folder and the versions', () => {
    const { status, stdout, stderr } = graft(['doctor', '--json']);
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout) as DoctorReport;
    assert.equal(report.ok, true);
    assert.ok(report.adapter?.description || report.adapter?.device);
    assert.equal(typeof report.adapter?.isSoftware, 'boolean');
    assert.ok((report.adapter?.features.length ?? 0) > 0);
    assert.ok((report.adapter?.limits.maxStorageBufferBindingSize ?? 0) >= 128 * 2 ** 20, "WebGPU's least limit");
    assert.ok(['subgroup8', 'workgroup'].includes(report.kernelFamily ?? ''));
    assert.equal(report.versions.node, process.versions.node);
    assert.deepEqual(
      [report.dataFolder?.path, report.dataFolder?.exists, report.dataFolder?.writable],
      [join(folder, 'data'), existsSync(join(folder, 'data')), true],
    );
    const text = graft(['doctor']).stdout;
    for (const word of ['Adapter', 'Driver', 'Backend', 'Features', 'Limits', 'Data folder', 'Graft can work here.']) {
      assert.ok(text.includes(word), word);
    }
  });

  test('says what is missing and what to do, with exit code 1', {
    skip: platform() === 'linux' ? false : 'only on Linux can the driver be hidden from a process',
  }, () => {
    const hidden = { VK_DRIVER_FILES: '/nonexistent.json', VK_ICD_FILENAMES: '/nonexistent.json' };
    const { status, stdout } = graft(['doctor', '--json'], { ...hidden, GRAFT_PORT: 'eighty' });
    assert.equal(status, 1);
    const { ok, adapter, findings } = JSON.parse(stdout) as DoctorReport;
    assert.deepEqual([ok, adapter], [false, null]);
    assert.match(findings.map(({ problem }) => problem).join('\n'), /GRAFT_PORT[\s\S]*No WebGPU adapter/);
    assert.match(findings.map(({ remedy }) => remedy).join('\n'), /npm run setup/);
  });
});

describe('graft start', () => {
  async function start(): Promise<{ child: ChildProcess; url: string }> {
    const child = spawn(process.execPath, [CLI, 'start'], {
      env: environment({}),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      printed += chunk;
      const url = /ready: (\S+)/.exec(printed)?.[1];
      // Leaving the loop closes the pipe, as `graft start | head -1` would; the server has to live on.
      if (url) return { child, url };
    }
    throw new Error(`graft start ended: ${printed}`);
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`serves until ${signal}, then ends with 0 and closes its port`, {
      skip: platform() === 'win32' ? 'Windows has no signals to catch' : false,
    }, async () => {
      const { child, url } = await start();
      const ask = () =>
        fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query: '{ zoo { id } networks { totalCount } }' }),
        });
      const { data } = (await (await ask()).json()) as { data: { zoo: unknown[]; networks: { totalCount: number } } };
      assert.ok(data.zoo.length > 0);
      assert.equal(data.networks.totalCount, 0);
      const exit = once(child, 'exit');
      child.kill(signal);
      assert.deepEqual(await exit, [0, null]);
      await assert.rejects(ask());
    });
  }
});
