import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { HELP, parseArguments, UsageError } from '../../src/demo/arguments.js';
import { confusionLines, metricLines } from '../../src/demo/confusion.js';
import { Console, type Output } from '../../src/demo/console.js';
import { bar, clip, formatCount, formatMillions, formatPercent, formatSeconds, table } from '../../src/demo/format.js';
import { ProgressLine, type RunProgress } from '../../src/demo/progress.js';
import { comparisonLines, guessingAccuracy, predictionLines, runLines } from '../../src/demo/report.js';

const NOTHING: RunProgress = {
  sequence: 1,
  kind: 'STATE',
  state: 'RUNNING',
  phase: null,
  epoch: null,
  epochs: null,
  step: null,
  steps: null,
  loss: null,
  accuracy: null,
  validationAccuracy: null,
  picturesPerSecond: null,
  etaSeconds: null,
  done: null,
  total: null,
};

describe('numbers and tables', () => {
  test('numbers are short and have units', () => {
    assert.equal(formatCount(1234567), '1,234,567');
    assert.deepEqual([0, 0.8754, 1, null].map(formatPercent), ['0.0 %', '87.5 %', '100.0 %', '-']);
    assert.deepEqual([0, 4.26, 9.96, 59.6, 125].map(formatSeconds), [
      '0.0 s',
      '4.3 s',
      '10 s',
      '1 min 00 s',
      '2 min 05 s',
    ]);
    assert.deepEqual([12, 4512, 2223872, 1.8e9].map(formatMillions), ['12', '4.5 k', '2.2 M', '1.8 G']);
    assert.deepEqual([clip('abcdef', 6), clip('abcdefg', 6)], ['abcdef', 'abcde…']);
    assert.deepEqual(
      [bar(0, 4), bar(0.5, 4), bar(1, 4), bar(7, 4), bar(-1, 4)],
      ['░░░░', '██░░', '████', '████', '░░░░'],
    );
  });

  test('a table aligns its columns', () => {
    const columns = [
      { title: 'class', align: 'left' },
      { title: 'n', align: 'right' },
    ] as const;
    assert.deepEqual(
      table(columns, [
        ['cat', '5'],
        ['elephant', '12'],
      ]),
      ['class      n', 'cat        5', 'elephant  12'],
    );
  });
});

describe('results', () => {
  test('a confusion matrix has true classes down and predictions across, zeros as dots', () => {
    assert.deepEqual(
      confusionLines(
        ['cat', 'dog'],
        [
          [8, 2],
          [0, 10],
        ],
      ),
      ['     cat  dog', 'cat    8    2', 'dog    ·   10'],
    );
  });

  test('a matrix of any classes stays within 98 columns; of many classes the most frequent mistakes are told', () => {
    for (const count of [2, 3, 7, 10, 11, 200]) {
      const labels = Array.from({ length: count }, (_, i) => `a class with a long name ${i}`);
      const confusion = labels.map((_, row) => labels.map((_, column) => (row === column ? 100_000 : row * column)));
      const lines = confusionLines(labels, confusion);
      assert.ok(
        lines.every((line) => line.length <= 98),
        lines.join('\n'),
      );
      if (count > 10)
        assert.match(
          lines[1] as string,
          new RegExp(`name ${count - 2} .*name ${count - 1} |name ${count - 1} .*name ${count - 2} `),
        );
    }
    assert.deepEqual(confusionLines(Array(13).fill('x'), Array(13).fill(Array(13).fill(0))), [
      'No picture was taken for something else.',
    ]);
  });

  test('metrics say where there is nothing to divide by', () => {
    const classes = [{ label: 'cat', support: 10, precision: null, recall: 0, f1: null }];
    assert.deepEqual(metricLines(classes), [
      'class  precision  recall  F1  pictures',
      'cat            -   0.0 %   -        10',
    ]);
    const many = Array.from({ length: 30 }, (_, i) => ({
      label: `${i}`,
      support: 1,
      precision: 1,
      recall: 1,
      f1: i / 30,
    }));
    assert.match(metricLines(many).at(-1) as string, /20 more/);
  });

  test('predictions are marked where they are wrong and say why a picture failed', () => {
    const predictions = [{ label: 'dog', probability: 0.9 }];
    const lines = predictionLines([
      { path: 'test/cat/1.png', label: 'cat', predictions, error: null },
      { path: 'test/dog/2.png', label: 'dog', predictions, error: null },
      { path: 'test/dog/3.png', label: 'dog', predictions: [], error: 'not a picture' },
    ]);
    assert.match(lines[1] as string, /^ {2}1\.png +cat +dog 90\.0 % \(wrong\)$/);
    assert.match(lines[2] as string, /^ {2}2\.png +dog +dog 90\.0 %$/);
    assert.match(lines[3] as string, /not a picture$/);
  });

  test('a run and a comparison in words', () => {
    const epoch = { epoch: 1, trainLoss: 1.5, trainAccuracy: 0.2, validationAccuracy: 0.4 };
    const run = {
      state: 'SUCCEEDED',
      error: null,
      adapter: null,
      bestRevision: null,
      secondsFeatures: 2,
      secondsTrain: 4,
      stepsTaken: 8,
    };
    const lines = runLines(
      { ...run, epochs: [epoch, { ...epoch, epoch: 2, trainLoss: 0.5, validationAccuracy: 0.7 }] },
      100,
    );
    assert.deepEqual(lines, [
      '  Features: 100 pictures through the frozen trunk, once, in 2.0 s (50 pictures/s)',
      '  Training: 2 epochs (8 steps) and validation in 4.0 s, loss 1.500 -> 0.500',
      '  Kept:     epoch 2, right on 70.0 % of the validation pictures',
    ]);
    assert.equal(comparisonLines([{ name: 'a', accuracy: 0.5, note: '' }])[0]?.trim(), `a  ${bar(0.5, 30)}  50.0 %`);
    const classes = [1, 3].map((count, i) => ({ label: `${i}`, train: 9, validation: 9, test: count }));
    assert.equal(guessingAccuracy({ id: '', warnings: [], classes }), 0.75);
  });
});

describe('progress', () => {
  test('features and steps become a bar with loss, accuracy, speed and time left', () => {
    const line = new ProgressLine();
    line.take({ ...NOTHING, kind: 'PHASE', phase: 'FEATURES' });
    const features = line.take({
      ...NOTHING,
      kind: 'PICTURES',
      done: 50,
      total: 100,
      picturesPerSecond: 25,
      etaSeconds: 2,
    });
    assert.match(features ?? '', /^ {2}Features +█+░+ {2}50\/100 pictures {2}25 pictures\/s {2}2\.0 s left$/);
    line.take({ ...NOTHING, kind: 'PHASE', phase: 'TRAINING' });
    const step = {
      ...NOTHING,
      kind: 'STEP',
      epoch: 3,
      epochs: 4,
      step: 5,
      steps: 10,
      loss: 0.25,
      accuracy: 0.5,
    } as const;
    const text = line.take({ ...step, picturesPerSecond: 9812, etaSeconds: 61 }) ?? '';
    assert.match(
      text,
      /Training .* epoch 3\/4 {2}loss 0\.250 {2}accuracy 50\.0 % {2}9,812 pictures\/s {2}1 min 01 s left$/,
    );
    assert.equal(text.match(/█/g)?.length, Math.round((25 / 40) * 12));
    assert.ok(text.length <= 100, text);
  });

  test('a run with a time budget counts down to its end', () => {
    let now = 100;
    const line = new ProgressLine(20, () => now);
    line.take({ ...NOTHING, kind: 'PHASE', phase: 'TRAINING' });
    now = 115;
    const step = { ...NOTHING, kind: 'STEP', epoch: 1, epochs: 9999, step: 7, steps: 67, etaSeconds: 1e6 } as const;
    assert.match(line.take(step) ?? '', /epoch 1 {2}step 7\/67 {2}5\.0 s left$/);
    now = 130;
    assert.match(line.take(step) ?? '', / 0\.0 s left$/);
  });

  const record = (isTerminal: boolean): Output & { text: string } => ({
    isTerminal,
    columns: 30,
    text: '',
    write(text) {
      this.text += text;
    },
  });

  test('a terminal replaces the line, cut to its width; a pipe gets plain lines now and then', () => {
    const terminal = record(true);
    const onTerminal = new Console(terminal);
    onTerminal.progress('x'.repeat(50));
    onTerminal.progress('second');
    onTerminal.print('done');
    assert.equal(terminal.text, `\r\u001b[2K${'x'.repeat(29)}\r\u001b[2Ksecond\r\u001b[2Kdone\n`);
    const pipe = record(false);
    let now = 0;
    const onPipe = new Console(pipe, () => now);
    onPipe.progress('first');
    now = 1000;
    onPipe.progress('too soon');
    now = 3500;
    onPipe.progress('later');
    onPipe.heading('End');
    assert.equal(pipe.text, 'first\nlater\n\nEnd\n');
  });
});

describe('arguments', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-arguments-'));
  test('the defaults, the flags, and a folder relative to where it was typed', () => {
    assert.deepEqual(parseArguments([], '/'), { data: null, json: false, help: false });
    assert.deepEqual(parseArguments(['--json', '-h'], '/'), { data: null, json: true, help: true });
    assert.equal(parseArguments(['--data', basename(folder)], dirname(folder)).data, folder);
    assert.ok(HELP.split('\n').every((line) => line.length <= 100));
  });

  test('what cannot be used is refused with the reason', (t) => {
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'file'), '');
    const refuses = (args: string[], reason: RegExp) =>
      assert.throws(
        () => parseArguments(args, folder),
        (error) => error instanceof UsageError && reason.test(error.message),
      );
    refuses(['--data', 'nowhere'], /nowhere is not a folder/);
    refuses(['--data', 'file'], /file is not a folder/);
    refuses(['--data='], /not a folder/);
    refuses(['--jsn'], /--jsn/);
    refuses(['folder'], /folder/);
  });
});
