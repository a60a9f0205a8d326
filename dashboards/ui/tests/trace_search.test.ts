import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pickExemplars } from '../src/model/exemplars';
import { formQuery, foundTraces, parseForm } from '../src/model/trace_search';

test('the form becomes TraceQL, and that a form again', () => {
  const cases = [
    [{ service: '', name: '', minDuration: '', failed: false }, '{ }'],
    [
      { service: 'a "b" \\c', name: '', minDuration: '', failed: true },
      '{ resource.service.name = "a \\"b\\" \\\\c" && status = error }',
    ],
    [
      { service: 'shop', name: 'GET /', minDuration: '1.5s', failed: false },
      '{ resource.service.name = "shop" && name = "GET /" && duration >= 1.5s }',
    ],
  ] as const;
  for (const [form, query] of cases) {
    assert.equal(formQuery(form), query);
    assert.deepEqual(parseForm(query), form);
  }
});

test('TraceQL that the form cannot say stays text', () => {
  for (const query of [
    '{ status = error } | count() > 2',
    '{ .http.status_code = 500 }',
    '{ name = "a" || name = "b" }',
    '{ duration >= 1.5s && ',
    '',
  ]) {
    assert.equal(parseForm(query), undefined, query);
  }
});

test('rows of an answer', () => {
  assert.deepEqual(
    foundTraces({
      traces: [
        {
          traceID: 'ab',
          rootServiceName: 'shop',
          rootTraceName: 'GET /',
          startTimeUnixNano: '1795359944123000000',
          durationMs: 250,
          serviceStats: { shop: { spanCount: 2, errorCount: 1 }, db: { spanCount: 3 } },
        },
      ],
    }),
    [
      {
        id: 'ab',
        service: 'shop',
        name: 'GET /',
        startMs: 1795359944123,
        durationMs: 250,
        spans: 5,
        failed: 1,
        services: ['shop', 'db'],
      },
    ],
  );
  assert.deepEqual(foundTraces({}), []);
});

test('exemplars: those with a trace, the slowest of each stretch', () => {
  const at = (timestamp: number, value: string, trace?: string) => ({
    labels: (trace ? { trace_id: trace, span_id: 's' } : { other: 'x' }) as Record<string, string>,
    value,
    timestamp,
  });
  const answer = [
    { seriesLabels: { a: '1' }, exemplars: [at(100, '0.1', 'p'), at(101, '0.5', 'q')] },
    { seriesLabels: { a: '2' }, exemplars: [at(101.5, '0.3', 'r'), at(150, '9')] },
    {
      seriesLabels: { a: '3' },
      exemplars: [at(199, 'NaN', 'n'), at(200, '2', 'z'), at(201, '3', 'out')],
    },
  ];
  const picked = pickExemplars(answer, 100, 200, 10);
  assert.deepEqual(
    picked.map((e) => [e.time, e.value, e.traceId, e.spanId, e.series.a]),
    [
      [101, 0.5, 'q', 's', '1'],
      [200, 2, 'z', 's', '3'],
    ],
  );
});
