import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { QueryData } from '../src/api/types';
import { loadDashboard, type Panel } from '../src/model/dashboard';
import { buildFrame, parseNumber, stack, type TargetResult } from '../src/model/frames';
import { reduce } from '../src/model/reduce';
import { buildTable } from '../src/model/table';

const panelOf = (more: object): Panel =>
  loadDashboard({ panels: [{ id: 1, type: 'timeseries', ...more }] }).panels[0]!;

const result = (
  data: QueryData,
  target = {},
  span: [number, number, number] = [0, 30_000, 10_000],
): TargetResult => ({
  target: { refId: 'A', expr: 'x', ...target },
  expr: 'x',
  data,
  from: span[0],
  to: span[1],
  stepMs: span[2],
});

test('samples land on the axis, what is missing is a gap', () => {
  const data: QueryData = {
    resultType: 'matrix',
    result: [
      {
        metric: { a: '1' },
        values: [
          [0, '1'],
          [20, '3'],
          [30, 'NaN'],
        ],
      },
    ],
  };
  const frame = buildFrame([result(data, { legendFormat: '{{a}}' })], panelOf({}), {});
  assert.deepEqual(frame.times, [0, 10, 20, 30]);
  assert.deepEqual(frame.series[0]!.values, [1, null, 3, null]);
  assert.equal(frame.series[0]!.name, '1');
});

test('numbers of the API', () => {
  assert.equal(parseNumber('+Inf'), Infinity);
  assert.equal(parseNumber('-Inf'), -Infinity);
  assert.ok(Number.isNaN(parseNumber('NaN')));
  assert.equal(parseNumber('1e-3'), 0.001);
});

test('overrides apply in order, by name, pattern and query', () => {
  const panel = panelOf({
    fieldConfig: {
      defaults: { unit: 'short', custom: { fillOpacity: 10 } },
      overrides: [
        { matcher: { id: 'byName', options: 'a' }, properties: [{ id: 'unit', value: 's' }] },
        {
          matcher: { id: 'byRegexp', options: '/^A$/i' },
          properties: [{ id: 'custom.fillOpacity', value: 0 }],
        },
        {
          matcher: { id: 'byFrameRefID', options: 'A' },
          properties: [{ id: 'displayName', value: 'shown' }],
        },
      ],
    },
  });
  const data: QueryData = {
    resultType: 'vector',
    result: [{ metric: { l: 'a' }, value: [1, '2'] }],
  };
  const { series } = buildFrame([result(data, { legendFormat: '{{l}}' })], panel, {});
  assert.equal(series[0]!.config.unit, 's');
  assert.equal(series[0]!.config.custom!.fillOpacity, 0);
  assert.equal(series[0]!.name, 'shown');
  assert.equal(panel.defaults.custom!.fillOpacity, 10);
});

test('stacking adds up, by sign', () => {
  const make = (values: (number | null)[], negative = false) => ({
    name: '',
    labels: {},
    refId: 'A',
    values,
    config: {
      custom: {
        stacking: { mode: 'normal' as const },
        ...(negative ? { transform: 'negative-Y' } : {}),
      },
    },
  });
  const layers = stack([make([1, 2]), make([10, null]), make([5, 5]), make([3, 4], true)]);
  assert.deepEqual(
    layers.map((l) => l.upper),
    [
      [1, 2],
      [11, null],
      [16, 7],
      [-3, -4],
    ],
  );
});

test('reductions', () => {
  const values = [null, 4, 1, null, 3, null];
  const cases: [string, number | null][] = [
    ['lastNotNull', 3],
    ['last', null],
    ['firstNotNull', 4],
    ['min', 1],
    ['max', 4],
    ['mean', 8 / 3],
    ['sum', 8],
    ['count', 3],
    ['range', 3],
    ['diff', -1],
    ['median', 3],
  ];
  for (const [calc, expected] of cases) {
    assert.equal(reduce(values, calc), expected, calc);
  }
  assert.equal(reduce([], 'mean'), null);
  assert.equal(reduce([null], 'max'), null);
  assert.equal(reduce([-5, -2], 'max'), -2);
});

const vector = (...rows: [Record<string, string>, string][]): QueryData => ({
  resultType: 'vector',
  result: rows.map(([metric, value]) => ({ metric, value: [1, value] })),
});

test('tables: merge, then organize', () => {
  const panel = panelOf({
    type: 'table',
    options: { sortBy: [{ displayName: 'Size', desc: true }] },
    transformations: [
      { id: 'merge', options: {} },
      {
        id: 'organize',
        options: {
          excludeByName: { Time: true },
          indexByName: { m: 0, 'Value #A': 1, 'Value #B': 2 },
          renameByName: { 'Value #A': 'Size', 'Value #B': 'Used' },
        },
      },
    ],
  });
  const a = result(vector([{ m: '/' }, '10'], [{ m: '/home' }, '20']), {
    refId: 'A',
    format: 'table',
    instant: true,
  });
  const b = result(vector([{ m: '/home' }, '5'], [{ m: '/' }, '7']), {
    refId: 'B',
    format: 'table',
    instant: true,
  });
  const table = buildTable([a, b], panel);
  assert.deepEqual(
    table.columns.map((c) => [c.name, c.cells]),
    [
      ['m', ['/home', '/']],
      ['Size', [20, 10]],
      ['Used', [5, 7]],
    ],
  );
  assert.deepEqual(table.unsupported, []);
});

test('tables: unknown transformations are named', () => {
  const panel = panelOf({ type: 'table', transformations: [{ id: 'heatmap', options: {} }] });
  assert.deepEqual(
    buildTable([result(vector([{ m: '/' }, '1']), { format: 'table' })], panel).unsupported,
    ['heatmap'],
  );
});

test('tables: group by and filter', () => {
  const panel = panelOf({
    type: 'table',
    transformations: [
      {
        id: 'groupBy',
        options: {
          fields: {
            job: { operation: 'groupby' },
            Value: { operation: 'aggregate', aggregations: ['sum'] },
          },
        },
      },
      { id: 'filterFieldsByName', options: { include: { pattern: '/job|sum/' } } },
    ],
  });
  const data = vector(
    [{ job: 'a', i: '1' }, '1'],
    [{ job: 'a', i: '2' }, '2'],
    [{ job: 'b', i: '3' }, '4'],
  );
  const table = buildTable([result(data, { format: 'table' })], panel);
  assert.deepEqual(
    table.columns.map((c) => [c.name, c.cells]),
    [
      ['job', ['a', 'b']],
      ['Value (sum)', [3, 4]],
    ],
  );
});
