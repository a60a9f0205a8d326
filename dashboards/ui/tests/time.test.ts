import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  axisLabels,
  describeRange,
  formatDuration,
  parseDuration,
  parseTime,
  pin,
} from '../src/model/time';

process.env.TZ = 'UTC';
const NOW = Date.parse('2026-08-21T14:03:05.500Z');
const at = (text: string) => Date.parse(text);

test('points in time', () => {
  const cases: [text: string, roundUp: boolean, expected: number | undefined][] = [
    ['now', false, NOW],
    ['now-1h', false, NOW - 3_600_000],
    ['now-90s', false, NOW - 90_000],
    ['now+5m', false, NOW + 300_000],
    ['now/d', false, at('2026-08-21T00:00:00Z')],
    ['now/d', true, at('2026-08-21T23:59:59.999Z')],
    ['now-1d/d', false, at('2026-08-20T00:00:00Z')],
    ['now-1M', false, at('2026-07-21T14:03:05.500Z')],
    ['now/w', false, at('2026-08-17T00:00:00Z')], // a Monday
    ['now/h', true, at('2026-08-21T14:59:59.999Z')],
    ['now/m', false, at('2026-08-21T14:03:00Z')],
    ['1700000000000', false, 1_700_000_000_000],
    ['2026-01-02', false, at('2026-01-02T00:00:00Z')],
    ['2026-01-02 03:04', false, at('2026-01-02T03:04:00Z')],
    ['2026-01-02T03:04:05Z', false, at('2026-01-02T03:04:05Z')],
    ['yesterday', false, undefined],
    ['now-', false, undefined],
    ['', false, undefined],
  ];
  for (const [text, roundUp, expected] of cases) {
    assert.equal(parseTime(text, NOW, roundUp), expected, text);
  }
});

test('a range must not end before it starts', () => {
  assert.equal(pin({ from: 'now', to: 'now-1h' }, NOW), undefined);
  assert.deepEqual(pin({ from: 'now-1s', to: 'now' }, NOW), { from: NOW - 1000, to: NOW });
});

test('durations', () => {
  for (const [text, ms] of [
    ['15s', 15_000],
    ['1m', 60_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['2', 2000],
    ['>1m', 60_000],
  ] as const) {
    assert.equal(parseDuration(text), ms, text);
  }
  for (const text of ['', 'x', '5 apples', '-1m']) {
    assert.equal(parseDuration(text), undefined, text);
  }
  for (const [ms, text] of [
    [15_000, '15s'],
    [90_000, '1m30s'],
    [60_000, '1m'],
    [86_400_000, '1d'],
    [500, '500ms'],
    [0, '0s'],
  ] as const) {
    assert.equal(formatDuration(ms), text);
  }
});

test('names of ranges', () => {
  assert.equal(describeRange({ from: 'now-30m', to: 'now' }), 'Last 30 minutes');
  assert.equal(describeRange({ from: 'now-7h', to: 'now' }), 'Last 7h');
  assert.equal(describeRange({ from: 'now/d', to: 'now' }), 'Today so far');
  assert.equal(
    describeRange({ from: String(at('2026-01-02T03:04:00Z')), to: 'now' }),
    '2026-01-02 03:04 to now',
  );
});

test('labels of the time axis', () => {
  const minute = at('2026-08-21T23:58:00Z') / 1000;
  assert.deepEqual(axisLabels([minute, minute + 60, minute + 120], 60), [
    '23:58',
    '23:59',
    '08-22',
  ]);
  assert.deepEqual(axisLabels([minute, minute + 15], 15), ['23:58:00', '23:58:15']);
});
