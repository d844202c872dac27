import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { DemoResult } from '../../src/demo/runDemo.js';
import { readSafetensors } from '../../src/models/formats/safetensors.js';
import { temporaryFolder } from '../store/fixtures.js';

const MAIN = fileURLToPath(new URL('../../src/demo/main.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('the demo as a process', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder();
    mkdirSync(join(folder.path, 'tmp'));
  });
  after(() => folder.remove());

  /** The demo with a folder for temporary files of its own, so that what it leaves behind is seen. */
  function start(args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
    const temporary = join(folder.path, 'tmp');
    const env = { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary, INIT_CWD: folder.path };
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: folder.path,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    return { child, ended: once(child, 'close').then(([code]) => ({ code, stdout, stderr })) };
  }

  /** Stripes across and stripes down: easy for any features. */
  async function writePictures(name: string, perClass: number): Promise<string> {
    for (const label of ['across', 'down']) {
      mkdirSync(join(folder.path, name, label), { recursive: true });
      for (let i = 0; i < perClass; i++) {
        const stripes = Array.from({ length: 8 }, (_, k) => {
          const place = 4 + k * 28 + i;
          const box =
            label === 'down'
              ? `x="${place}" y="0" width="12" height="224"`
              : `x="0" y="${place}" width="224" height="12"`;
          return `<rect ${box} fill="hsl(${i * 25},80%,40%)"/>`;
        });
        const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="224" height="224">${stripes.join('')}</svg>`;
        const png = await sharp(Buffer.from(svg)).flatten({ background: '#fff' }).png().toBuffer();
        await writeFile(join(folder.path, name, label, `${i}.png`), png);
      }
    }
    return name;
  }

  test('trains on a folder of pictures and tells what it measured', async () => {
    const name = await writePictures('stripes', 12);
    const { code, stdout, stderr } = await start(['--json', '--data', name]).ended;
    assert.equal(code, 0, stdout + stderr);
    const result = JSON.parse(stdout.trim().split('\n').at(-1) as string) as DemoResult;
    assert.deepEqual(result.classes, ['across', 'down']);
    assert.equal(result.network, 'mobilenet_v2_nsfw');
    assert.equal(result.dataset, 'stripes');
    assert.ok(result.adapter.length > 0);
    assert.ok(result.testImages >= 4 && result.trainImages >= 12 && result.trainImages + result.testImages < 24);
    for (const accuracy of [result.accuracyBefore, result.accuracyTransfer, result.accuracyScratch]) {
      const right = accuracy * result.testImages;
      assert.ok(accuracy <= 1 && Math.abs(right - Math.round(right)) < 1e-6, `${accuracy} of ${result.testImages}`);
    }
    assert.ok(result.accuracyTransfer > 0.7, stdout);
    assert.ok(result.secondsFeatures > 0 && result.secondsTrain > 0 && result.secondsTotal > result.secondsTrain);
    for (const part of [/zoo/, /across +\d/, /precision +recall/, /safetensors/, /From random weights/])
      assert.match(stdout, part);
    assert.ok(!stdout.includes('\u001b'), 'no escape sequences into a pipe');
    const { tensors } = readSafetensors(
      new Uint8Array(await readFile(join(folder.path, 'graft-demo', 'stripes.safetensors'))),
    );
    assert.deepEqual(tensors.get('head.classifier.weight')?.shape, [2, 1280]);
    assert.deepEqual(readdirSync(join(folder.path, 'tmp')), []);
  });

  test('an interruption stops the server and removes the temporary folder', {
    skip: process.platform === 'win32' ? 'Windows has no signals to catch' : false,
  }, async () => {
    const { child, ended } = start([]);
    let seen = '';
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (data) => {
        seen += data;
        if (seen.includes('A server at')) resolve();
      });
      child.once('close', () => resolve());
    });
    const url = /A server at (\S+)\/graphql/.exec(seen)?.[1] as string;
    assert.ok((await fetch(`${url}/healthz`)).ok);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    assert.equal(code, 130);
    assert.match(stderr, /^\s*Interrupted/);
    assert.deepEqual(readdirSync(join(folder.path, 'tmp')), []);
    await assert.rejects(fetch(`${url}/healthz`));
  });

  test('says what to do with a folder that has no classes', async () => {
    mkdirSync(join(folder.path, 'empty'));
    const { code, stderr } = await start(['--data', 'empty']).ended;
    assert.equal(code, 1);
    assert.match(stderr, /could not go on: .*(class|picture)/);
    assert.ok(!existsSync(join(folder.path, 'graft-demo', 'empty.safetensors')));
    assert.deepEqual(readdirSync(join(folder.path, 'tmp')), []);
  });
});
