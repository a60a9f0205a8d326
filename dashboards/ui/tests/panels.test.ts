import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yRange } from '../src/chart/scale';
import { csvField } from '../src/panels/csv';
import { nextHidden } from '../src/panels/pick';

test('fields of CSV', () => {
  const cases: [unknown, string][] = [
    ['a', 'a'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    [null, ''],
    [1.5, '1.5'],
    ['a\nb', '"a\nb"'],
  ];
  for (const [value, text] of cases) {
    assert.equal(csvField(value), text);
  }
});

test('the scale leaves room, keeps limits, and survives flat lines', () => {
  assert.deepEqual(yRange(0, 100, { min: 0 }), [0, 106]);
  assert.deepEqual(yRange(0.2, 0.4, { min: 0, max: 1 }), [0, 1]);
  assert.deepEqual(yRange(0, 0, { min: 0 }), [0, 1.06]);
  assert.deepEqual(yRange(null, null, {}), [0, 1.06]);
  const [low, high] = yRange(5, 5, {});
  assert.ok(low < 5 && high > 5);
  assert.equal(yRange(0, 0.001, { min: 0, softMax: 1 })[1], 1.06);
});

test('a click in the legend isolates, a second shows all', () => {
  const names = ['a', 'b', 'c'];
  const alone = nextHidden(new Set(), names, 'a', false);
  assert.deepEqual([...alone].sort(), ['b', 'c']);
  assert.deepEqual([...nextHidden(alone, names, 'a', false)], []);
  assert.deepEqual([...nextHidden(alone, names, 'b', false)].sort(), ['a', 'c']);
  assert.deepEqual([...nextHidden(new Set(), names, 'b', true)], ['b']);
  assert.deepEqual([...nextHidden(new Set(['b']), names, 'b', true)], []);
});
