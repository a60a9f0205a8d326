import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatUrl, parseUrl } from '../src/model/url';
import { errorPosition } from '../src/api/client';

test('a dashboard’s address, there and back', () => {
  const search =
    '?d=host-use&var-instance=a%3A9100&var-job=x&var-job=y&viewPanel=7&from=now-6h&to=now&refresh=30s';
  const state = parseUrl('/sonde/', search);
  assert.equal(state.view, 'dashboard');
  assert.equal(state.dashboard, 'host-use');
  assert.deepEqual(state.variables, { instance: ['a:9100'], job: ['x', 'y'] });
  assert.equal(state.viewPanel, 7);
  assert.deepEqual(state.range, { from: 'now-6h', to: 'now' });
  assert.equal(state.refresh, '30s');
  assert.equal(formatUrl(state), `./${search}`);
});

test('explore, there and back', () => {
  const state = parseUrl(
    '/graph',
    '?g0.expr=up+%3D%3D+0&g0.tab=1&g1.expr=rate(x%5B5m%5D)&g1.tab=0&from=1&to=2',
  );
  assert.equal(state.view, 'explore');
  assert.deepEqual(state.queries, [
    { expr: 'up == 0', tab: 'table' },
    { expr: 'rate(x[5m])', tab: 'graph' },
  ]);
  assert.deepEqual(parseUrl('/graph', formatUrl(state).slice('graph'.length)), state);
});

test('traces: a search, and one that is open', () => {
  const search = '?q=%7B+status+%3D+error+%7D&from=now-1h&to=now';
  const state = parseUrl('/sonde/traces', search);
  assert.equal(state.view, 'traces');
  assert.equal(state.traceQuery, '{ status = error }');
  assert.equal(state.trace, undefined);
  assert.equal(formatUrl(state), `traces${search}`);
  const open = parseUrl('/traces', '?trace=5b8efff798038103d269b633813fc60c&span=eee19b7ec3c1b174');
  assert.equal(open.trace, '5b8efff798038103d269b633813fc60c');
  assert.equal(open.span, 'eee19b7ec3c1b174');
  assert.deepEqual(parseUrl('/traces', formatUrl(open).slice('traces'.length)), open);
  assert.ok(!formatUrl({ ...open, trace: undefined }).includes('span='));
});

test('links of alerts name a range in the Prometheus way', () => {
  const range = (search: string) => parseUrl('/graph', search).range;
  assert.deepEqual(range('?g0.expr=up&g0.range_input=2h'), { from: 'now-2h', to: 'now' });
  const end = Date.parse('2026-08-21T12:00:00Z');
  assert.deepEqual(range('?g0.expr=up&g0.range_input=1h&g0.end_input=2026-08-21%2012:00:00'), {
    from: String(end - 3_600_000),
    to: String(end),
  });
});

test('All is written as Grafana writes it', () => {
  assert.deepEqual(parseUrl('/', '?var-job=All').variables, { job: ['$__all'] });
});

test('positions in errors', () => {
  assert.deepEqual(
    errorPosition('invalid parameter "query": 1:8: parse error: unclosed left parenthesis'),
    {
      line: 1,
      column: 8,
      text: 'parse error: unclosed left parenthesis',
    },
  );
  assert.equal(errorPosition('query timed out'), undefined);
});
