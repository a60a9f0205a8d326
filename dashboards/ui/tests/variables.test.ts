import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VariableModel } from '../src/model/dashboard';
import {
  ALL,
  choose,
  dependencyOrder,
  filterOptions,
  parseVariableQuery,
  scopeOf,
  staticOptions,
} from '../src/model/variables';
import { interpolate } from '../src/model/interpolate';

test('queries of variables', () => {
  const cases: [string, ReturnType<typeof parseVariableQuery>][] = [
    ['label_values(instance)', { kind: 'label_values', label: 'instance', match: undefined }],
    ['label_values(up, job)', { kind: 'label_values', label: 'job', match: 'up' }],
    [
      'label_values(node_uname_info{job="$job", nodename=~"a(b|c),d"}, instance)',
      {
        kind: 'label_values',
        label: 'instance',
        match: 'node_uname_info{job="$job", nodename=~"a(b|c),d"}',
      },
    ],
    ['label_names()', { kind: 'label_names', pattern: undefined }],
    ['metrics(node_.*)', { kind: 'metrics', pattern: 'node_.*' }],
    ['query_result(topk(5, up))', { kind: 'query_result', expr: 'topk(5, up)' }],
    ['up{job="x"}', { kind: 'series', match: 'up{job="x"}' }],
  ];
  for (const [text, ask] of cases) {
    assert.deepEqual(parseVariableQuery(text), ask, text);
  }
});

test('options of custom and interval variables', () => {
  const custom = { name: 'c', type: 'custom', query: 'a, b\\,c, Shown : value' } as VariableModel;
  assert.deepEqual(staticOptions(custom), [
    { text: 'a', value: 'a' },
    { text: 'b,c', value: 'b,c' },
    { text: 'Shown', value: 'value' },
  ]);
  const interval = { name: 'i', type: 'interval', query: '1m,5m', auto: true } as VariableModel;
  assert.deepEqual(
    staticOptions(interval)!.map((o) => o.text),
    ['auto', '1m', '5m'],
  );
});

test('regex and order of options', () => {
  const texts = (values: string[], regex?: string, sort?: number) =>
    filterOptions(values, regex, sort).map((o) => o.text);
  assert.deepEqual(texts(['b', 'a', 'b']), ['b', 'a']);
  assert.deepEqual(texts(['b', 'a'], undefined, 1), ['a', 'b']);
  assert.deepEqual(texts(['b', 'a'], undefined, 2), ['b', 'a']);
  assert.deepEqual(texts(['eth10', 'eth2'], undefined, 7), ['eth2', 'eth10']);
  assert.deepEqual(texts(['x 10', 'x 9'], undefined, 3), ['x 9', 'x 10']);
  assert.deepEqual(texts(['up{a="1"}', 'up{a="2"}', 'down'], '/a="([^"]+)"/'), ['1', '2']);
  assert.deepEqual(texts(['a', 'b'], '/^a/'), ['a']);
  assert.deepEqual(filterOptions(['k=v'], '/(?<text>\\w)=(?<value>\\w)/', 0), [
    { text: 'k', value: 'v' },
  ]);
});

test('what stays chosen', () => {
  const options = [
    { text: 'a', value: 'a' },
    { text: 'b', value: 'b' },
  ];
  const model = (more: Partial<VariableModel>): VariableModel => ({
    name: 'v',
    type: 'query',
    ...more,
  });
  assert.deepEqual(choose(model({}), options, ['b']), ['b']);
  assert.deepEqual(choose(model({}), options, ['gone']), ['a']);
  assert.deepEqual(choose(model({}), options, undefined), ['a']);
  assert.deepEqual(choose(model({ current: { value: 'b' } }), options, undefined), ['b']);
  assert.deepEqual(choose(model({ multi: true }), options, ['a', 'b', 'gone']), ['a', 'b']);
  assert.deepEqual(choose(model({ includeAll: true }), options, undefined), [ALL]);
  assert.deepEqual(choose(model({ includeAll: true }), options, [ALL]), [ALL]);
  assert.deepEqual(choose(model({}), [], undefined), []);
});

test('All becomes the author’s value, or all values', () => {
  const options = [
    { text: 'a', value: 'a' },
    { text: 'b.c', value: 'b.c' },
  ];
  const window = { from: 0, to: 1 };
  const state = (allValue?: string) => ({
    model: { name: 'v', type: 'query', includeAll: true, multi: true, allValue },
    options,
    chosen: [ALL],
    loading: false,
  });
  assert.equal(interpolate('$v', scopeOf([state('.+')], window)), '.+');
  assert.equal(interpolate('$v', scopeOf([state()], window)), '(a|b\\\\.c)');
});

test('variables come after those they use', () => {
  const model = (name: string, query: string): VariableModel => ({ name, type: 'query', query });
  const ordered = dependencyOrder([
    model('c', 'x{b="$b"}'),
    model('b', 'x{a="${a}"}'),
    model('a', 'x'),
  ]);
  assert.deepEqual(
    ordered.map((m) => m.name),
    ['a', 'b', 'c'],
  );
  const circle = dependencyOrder([model('a', '$b'), model('b', '$a')]);
  assert.equal(circle.length, 2);
});
