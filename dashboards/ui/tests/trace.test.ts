import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  attributeText,
  shownRows,
  traceModel,
  type OtlpSpan,
  type OtlpTrace,
} from '../src/model/trace';

/* Start and end in milliseconds after a time that no number holds in nanoseconds. */
function span(id: string, parent: string, from: number, to: number, more?: object): OtlpSpan {
  const at = (ms: number) => String(1795359944000000001n + BigInt(ms) * 1_000_000n);
  return {
    traceId: 't',
    spanId: id,
    parentSpanId: parent,
    name: id,
    startTimeUnixNano: at(from),
    endTimeUnixNano: at(to),
    ...more,
  };
}

function trace(...spans: OtlpSpan[]): OtlpTrace {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

const shape = (otlp: OtlpTrace) =>
  traceModel('t', otlp).rows.map((r) => `${'.'.repeat(r.depth)}${r.span.spanId}`);

test('spans stand below their parents, ordered by start', () => {
  const otlp = trace(
    span('c', 'a', 50, 60),
    span('d', 'b', 12, 14),
    span('b', 'a', 10, 20),
    span('a', '', 0, 100),
  );
  assert.deepEqual(shape(otlp), ['a', '.b', '..d', '.c']);
  const { rows, durationMs, startMs, services } = traceModel('t', otlp);
  assert.deepEqual(
    rows.map((r) => [r.startMs, r.durationMs, r.below, r.children]),
    [
      [0, 100, 3, 2],
      [10, 10, 1, 1],
      [12, 2, 0, 0],
      [50, 10, 0, 0],
    ],
  );
  assert.equal(durationMs, 100);
  assert.equal(Math.round(startMs), 1795359944000);
  assert.deepEqual(services, ['shop']);
});

test('a parent that is not here, rings, a span that is its own parent, one sent twice', () => {
  const orphan = traceModel('t', trace(span('x', 'gone', 0, 1)));
  assert.deepEqual([orphan.rows[0]!.depth, orphan.rows[0]!.orphan], [0, true]);
  assert.deepEqual(shape(trace(span('p', 'q', 5, 6), span('q', 'p', 3, 9))), ['q', '.p']);
  assert.deepEqual(shape(trace(span('s', 's', 0, 1))), ['s']);
  assert.deepEqual(shape(trace(span('s', '', 0, 1), span('s', '', 0, 1))), ['s']);
  // Zipkin's client and server halves share an id.
  const halves = trace(span('s', '', 0, 9, { kind: 3 }), span('s', '', 1, 8, { kind: 2 }));
  assert.deepEqual(
    traceModel('t', halves).rows.map((r) => r.kind),
    ['client', 'server'],
  );
  assert.deepEqual(shape({}), []);
});

test('a chain of 100 000 spans', () => {
  const spans = Array.from({ length: 100_000 }, (_, i) =>
    span(`${i}`, i === 0 ? '' : `${i - 1}`, i, 200_000 - i),
  );
  const { rows } = traceModel('t', trace(...spans.reverse()));
  assert.equal(rows.length, 100_000);
  assert.equal(rows[99_999]!.depth, 99_999);
  assert.equal(rows[0]!.below, 99_999);
});

/* a runs 0–100; b 10–40 and c 30–90 overlap, d ends before c begins. While c ran nothing else
 * mattered; before it, d; b ended during c. */
test('the critical path', () => {
  const otlp = trace(
    span('a', '', 0, 100),
    span('b', 'a', 10, 40),
    span('c', 'a', 30, 90),
    span('d', 'a', 5, 25),
    span('e', 'c', 40, 80),
    span('f', 'b', 11, 39),
  );
  const critical = traceModel('t', otlp).rows.filter((r) => r.critical);
  assert.deepEqual(critical.map((r) => r.span.spanId).sort(), ['a', 'c', 'd', 'e']);
});

test('folding hides what is below, a filter hides what does not match', () => {
  const failed = { status: { code: 2, message: 'out of stock' } };
  const sql = { attributes: [{ key: 'db.system', value: { stringValue: 'PostgreSQL' } }] };
  const model = traceModel(
    't',
    trace(
      span('a', '', 0, 100),
      span('b', 'a', 10, 20, failed),
      span('d', 'b', 12, 14, sql),
      span('c', 'a', 50, 60),
    ),
  );
  const ids = (folded: string[], text = '', failedOnly = false) =>
    shownRows(model, { folded: new Set(folded), text, failedOnly }).map(
      (i) => model.rows[i]!.span.spanId,
    );
  assert.deepEqual(ids([]), ['a', 'b', 'd', 'c']);
  assert.deepEqual(ids(['b']), ['a', 'b', 'c']);
  assert.deepEqual(ids(['a']), ['a']);
  assert.deepEqual(ids(['a'], 'postgres'), ['d']);
  assert.deepEqual(ids([], 'STOCK'), ['b']);
  assert.deepEqual(ids([], '', true), ['b']);
  assert.deepEqual(ids([], 'nowhere'), []);
  assert.equal(model.failed, 1);
});

test('values of all types become text', () => {
  assert.equal(attributeText({ intValue: '9007199254740993' }), '9007199254740993');
  assert.equal(attributeText({ boolValue: false }), 'false');
  assert.equal(
    attributeText({ arrayValue: { values: [{ stringValue: 'a' }, { doubleValue: 1.5 }] } }),
    '[a, 1.5]',
  );
  const pair = { key: 'k', value: { intValue: 1 } };
  assert.equal(attributeText({ kvlistValue: { values: [pair] } }), '{k: 1}');
  assert.equal(attributeText(undefined), '');
});
