import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLegend, formatSeries, nameSeries } from '../src/model/legend';

test('templates', () => {
  const labels = { __name__: 'up', job: 'node', instance: 'a' };
  assert.equal(formatLegend('{{instance}} of {{ job }}', labels), 'a of node');
  assert.equal(formatLegend('{{missing}}!', labels), '!');
  assert.equal(formatLegend('{{__name__}}', labels), 'up');
  assert.equal(formatLegend('plain', labels), 'plain');
});

test('series as PromQL writes them', () => {
  assert.equal(formatSeries({ __name__: 'up', b: '2', a: '1' }), 'up{a="1", b="2"}');
  assert.equal(formatSeries({ __name__: 'up' }), 'up');
  assert.equal(formatSeries({}), '{}');
});

test('automatic names show what differs', () => {
  const a = { __name__: 'x', job: 'node', mode: 'idle' };
  const b = { __name__: 'x', job: 'node', mode: 'user' };
  assert.deepEqual(nameSeries([a, b], '__auto', 'x'), ['idle', 'user']);
  assert.deepEqual(nameSeries([a], '__auto', 'sum(x)'), ['sum(x)']);
  assert.deepEqual(
    nameSeries(
      [
        { ...a, cpu: '0' },
        { ...b, cpu: '1' },
      ],
      '__auto',
      'x',
    ),
    ['{cpu="0", mode="idle"}', '{cpu="1", mode="user"}'],
  );
  assert.deepEqual(nameSeries([a, b], undefined, 'x'), [
    'x{job="node", mode="idle"}',
    'x{job="node", mode="user"}',
  ]);
  assert.deepEqual(nameSeries([a, b], '{{mode}}!', 'x'), ['idle!', 'user!']);
});
