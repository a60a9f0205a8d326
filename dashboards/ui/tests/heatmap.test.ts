import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Series } from '../src/model/frames';
import { buildHeatmap, heatOf } from '../src/model/heatmap';

const series = (le: string, values: (number | null)[]): Series => ({
  name: le,
  labels: { le },
  refId: 'A',
  values,
  config: {},
});

test('cumulative buckets become their own counts, smallest bound first', () => {
  // Of 10 observations 2 are up to 0.1, 5 more up to 1, 3 beyond.
  const frame = {
    times: [1, 2],
    series: [series('+Inf', [10, null]), series('0.1', [2, 1]), series('1', [7, 1])],
  };
  const heatmap = buildHeatmap(frame, true);
  assert.deepEqual(
    heatmap.rows.map((r) => [r.bound, r.values]),
    [
      [0.1, [2, 1]],
      [1, [5, 0]],
      [Infinity, [3, null]],
    ],
  );
  assert.equal(heatmap.max, 5);
});

test('rows that are not cumulative stay as they are', () => {
  const frame = { times: [1], series: [series('1', [7]), series('0.1', [2])] };
  assert.deepEqual(
    buildHeatmap(frame, false).rows.map((r) => r.values),
    [[2], [7]],
  );
});

test('heat is nothing for nothing, and grows to one', () => {
  assert.equal(heatOf(0, 10), 0);
  assert.equal(heatOf(5, 0), 0);
  assert.equal(heatOf(10, 10), 1);
  assert.ok(heatOf(1, 100) > 0.1);
});
