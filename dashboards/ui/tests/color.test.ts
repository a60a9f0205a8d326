import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applyMappings,
  fieldColor,
  paint,
  thresholdColor,
  toRegExp,
  withAlpha,
} from '../src/model/color';
import type { Thresholds } from '../src/model/dashboard';

const STEPS: Thresholds = {
  mode: 'absolute',
  steps: [
    { value: null, color: 'green' },
    { value: 80, color: 'orange' },
    { value: 95, color: 'red' },
  ],
};

test('thresholds count from their own value on', () => {
  for (const [value, color] of [
    [0, 'green'],
    [79.9, 'green'],
    [80, 'orange'],
    [95, 'red'],
    [null, 'green'],
  ] as const) {
    assert.equal(thresholdColor(value, STEPS), color, String(value));
  }
  const percent: Thresholds = { ...STEPS, mode: 'percentage' };
  assert.equal(thresholdColor(4.1, percent, 0, 5), 'orange');
});

test('colours of fields', () => {
  assert.equal(fieldColor({ color: { mode: 'fixed', fixedColor: 'red' } }, 3, 1), 'red');
  assert.equal(fieldColor({}, 3, 1), 'palette:3');
  assert.equal(fieldColor({ color: { mode: 'thresholds' }, thresholds: STEPS }, 3, 96), 'red');
});

test('names become values of the theme', () => {
  assert.notEqual(paint('green', 'dark'), paint('green', 'light'));
  assert.equal(paint('#123456', 'dark'), '#123456');
  assert.match(paint('dark-red', 'dark'), /^rgb\(/);
  assert.notEqual(paint('palette:0', 'dark'), paint('palette:16', 'dark'));
  assert.equal(withAlpha('#ff0000', 0.5), 'rgba(255, 0, 0, 0.5)');
  assert.equal(withAlpha('rgb(1, 2, 3)', 0.5), 'rgba(1, 2, 3, 0.5)');
});

test('value mappings', () => {
  const up = [{ type: 'value' as const, options: { '1': { text: 'up', color: 'green' } } }];
  assert.equal(applyMappings(1, null, up)?.text, 'up');
  assert.equal(applyMappings(0, null, up), undefined);
  const range = [
    { type: 'range' as const, options: { from: 1, to: null, result: { text: 'many' } } },
  ];
  assert.equal(applyMappings(5, null, range)?.text, 'many');
  const special = [
    { type: 'special' as const, options: { match: 'null', result: { text: 'none' } } },
  ];
  assert.equal(applyMappings(null, null, special)?.text, 'none');
  const regex = [
    { type: 'regex' as const, options: { pattern: '/^eth/', result: { text: 'wire' } } },
  ];
  assert.equal(applyMappings(null, 'eth0', regex)?.text, 'wire');
});

test('patterns with and without slashes', () => {
  assert.ok(toRegExp('/A/i')!.test('a'));
  assert.ok(toRegExp('a.c')!.test('abc'));
  assert.equal(toRegExp('('), undefined);
});
