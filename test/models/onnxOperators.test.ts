import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FOLDED_OPERATORS } from '../../src/models/formats/onnx/fold/fold.js';
import { CONVERTERS } from '../../src/models/formats/onnx/operators.js';

const paragraph = (operators: readonly string[]) =>
  operators
    .toSorted((a, b) => a.localeCompare(b, 'en'))
    .join(', ')
    .replace(/(.{1,120})(?:\s|$)/g, '$1\n')
    .trim();

test('docs/formats.md lists the ONNX operators that there are', () => {
  const text = readFileSync('docs/formats.md', 'utf8');
  const only = FOLDED_OPERATORS.filter((name) => !Object.hasOwn(CONVERTERS, name));
  const layers = `<!-- operators -->\n\n${paragraph([...Object.keys(CONVERTERS), 'Shape', 'Size'].filter((name, i, all) => all.indexOf(name) === i))}.\n`;
  const folded = `<!-- folded -->\n\n${paragraph(only.filter((name) => name !== 'Shape' && name !== 'Size'))}.\n`;
  assert.ok(text.includes(layers), `docs/formats.md should have:\n${layers}`);
  assert.ok(text.includes(folded), `docs/formats.md should have:\n${folded}`);
});
