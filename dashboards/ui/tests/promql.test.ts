import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completionContext, insertCandidate, rank } from '../src/model/completion';
import { tokenize } from '../src/model/promql';

const kinds = (text: string) =>
  tokenize(text)
    .filter((t) => t.kind !== 'space')
    .map((t) => `${t.text}:${t.kind}`);

test('words of an expression', () => {
  assert.deepEqual(kinds('sum by (job) (rate(x{a="b"}[5m])) > 1e3 # end'), [
    'sum:function',
    'by:keyword',
    '(:other',
    'job:label',
    '):other',
    '(:other',
    'rate:function',
    '(:other',
    'x:metric',
    '{:other',
    'a:label',
    '=:operator',
    '"b":string',
    '}:other',
    '[:other',
    '5m:number',
    ']:other',
    '):other',
    '):other',
    '>:operator',
    '1e3:number',
    '# end:comment',
  ]);
});

test('any text is covered by tokens without gaps', () => {
  for (const text of [
    '',
    'a{',
    '"',
    "x{a='",
    '}}))((',
    'é𝒳',
    'sum(rate(a[5m]',
    '1h30m+$__interval',
    'a # b\nc',
  ]) {
    assert.equal(
      tokenize(text)
        .map((t) => t.text)
        .join(''),
      text,
    );
  }
});

/* The caret stands at the bar. */
function context(marked: string) {
  const caret = marked.indexOf('|');
  const { kind, prefix, metric, label } = completionContext(marked.replace('|', ''), caret);
  return { kind, prefix, ...(metric ? { metric } : {}), ...(label ? { label } : {}) };
}

test('what may come at the caret', () => {
  const cases: [string, object][] = [
    ['no|', { kind: 'name', prefix: 'no' }],
    ['rate(no|', { kind: 'name', prefix: 'no' }],
    ['|', { kind: 'none', prefix: '' }],
    ['up{|', { kind: 'label', prefix: '', metric: 'up' }],
    ['up{in|', { kind: 'label', prefix: 'in', metric: 'up' }],
    ['up{job="a",in|', { kind: 'label', prefix: 'in', metric: 'up' }],
    ['up{job="no|"}', { kind: 'value', prefix: 'no', metric: 'up', label: 'job' }],
    ['up{job=~"|', { kind: 'value', prefix: '', metric: 'up', label: 'job' }],
    ['{job="a|', { kind: 'value', prefix: 'a', label: 'job' }],
    ['sum by (in|) (up)', { kind: 'label', prefix: 'in', metric: 'up' }],
    ['sum(up) # co|', { kind: 'none', prefix: '' }],
    ['rate(up[5|', { kind: 'none', prefix: '' }],
    ['up{a="b"}|', { kind: 'none', prefix: '' }],
  ];
  for (const [text, expected] of cases) {
    assert.deepEqual(context(text), expected, text);
  }
});

test('candidates in order of fit', () => {
  assert.deepEqual(rank(['node_cpu', 'cpu', 'xcpu', 'c_p_u', 'memory'], 'cpu', 10), [
    'cpu',
    'node_cpu',
    'xcpu',
    'c_p_u',
  ]);
  assert.deepEqual(rank(['b', 'a'], '', 1), ['b']);
});

test('taking a candidate', () => {
  const take = (marked: string, text: string, kind: 'function' | 'metric' | 'label' | 'value') => {
    const caret = marked.indexOf('|');
    const plain = marked.replace('|', '');
    const result = insertCandidate(plain, completionContext(plain, caret), {
      text,
      kind,
      detail: '',
    });
    return `${result.text.slice(0, result.caret)}|${result.text.slice(result.caret)}`;
  };
  assert.equal(take('ra|', 'rate', 'function'), 'rate(|)');
  assert.equal(take('ra|(x)', 'rate', 'function'), 'rate|(x)');
  assert.equal(take('sum(no|)', 'node_load1', 'metric'), 'sum(node_load1|)');
  assert.equal(take('up{jo|}', 'job', 'label'), 'up{job="|"}');
  assert.equal(take('sum by (jo|) (up)', 'job', 'label'), 'sum by (job|) (up)');
  assert.equal(take('up{job="n|"}', 'a"b', 'value'), 'up{job="a\\"b|"}');
});
