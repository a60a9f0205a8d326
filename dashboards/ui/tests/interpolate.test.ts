import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtins, interpolate, references, type Scope } from '../src/model/interpolate';

const SCOPE: Scope = {
  one: { values: ['a.b'], multi: false },
  quoted: { values: ['say "hi" \\ bye'], multi: false },
  several: { values: ['10.0.0.1:9100', 'b'], multi: true },
  single: { values: ['10.0.0.1'], multi: true },
  all: { values: ['x', 'y'], multi: true, raw: '.+', text: 'All' },
};

const CASES: [text: string, result: string][] = [
  ['up{i="$one"}', 'up{i="a.b"}'],
  ['up{i="${one}"}', 'up{i="a.b"}'],
  ['up{i="[[one]]"}', 'up{i="a.b"}'],
  // Quotes and backslashes must not end the string they stand in.
  ['up{i="$quoted"}', 'up{i="say \\"hi\\" \\\\ bye"}'],
  // A regular expression inside a PromQL string: the dot's backslash is doubled.
  ['up{i=~"$several"}', 'up{i=~"(10\\\\.0\\\\.0\\\\.1:9100|b)"}'],
  ['up{i=~"$single"}', 'up{i=~"10\\\\.0\\\\.0\\\\.1"}'],
  ['up{i=~"$all"}', 'up{i=~".+"}'],
  ['${several:regex}', '(10\\.0\\.0\\.1:9100|b)'],
  ['${several:pipe}', '10.0.0.1:9100|b'],
  ['${several:csv}', '10.0.0.1:9100,b'],
  ['${several:glob}', '{10.0.0.1:9100,b}'],
  ['${several:json}', '["10.0.0.1:9100","b"]'],
  ['${several:doublequote}', '"10.0.0.1:9100","b"'],
  ['${one:percentencode}', 'a.b'],
  ['$unknown stays', '$unknown stays'],
  ['$onex is another name', '$onex is another name'],
];

test('variables in expressions', () => {
  for (const [text, result] of CASES) {
    assert.equal(interpolate(text, SCOPE), result, text);
  }
});

test('variables in titles are not escaped', () => {
  assert.equal(interpolate('$several on $all', SCOPE, 'text'), '10.0.0.1:9100 + b on All');
});

test('built-in variables', () => {
  const scope = builtins({
    from: 1_000_000,
    to: 1_600_000,
    interval: '15s',
    intervalMs: 15_000,
    rateInterval: '1m',
  });
  assert.equal(interpolate('rate(x[$__rate_interval])', scope), 'rate(x[1m])');
  assert.equal(interpolate('x[$__range:$__interval]', scope), 'x[600s:15s]');
  assert.equal(interpolate('${__range_s} ${__range_ms} $__interval_ms', scope), '600 600000 15000');
});

test('references name each variable', () => {
  assert.deepEqual(references('a{b="$one",c=~"${two:regex}",d="[[three]]"}[$__interval]'), [
    'one',
    'two',
    'three',
    '__interval',
  ]);
});
