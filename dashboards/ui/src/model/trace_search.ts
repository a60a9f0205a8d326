/* Searching traces: the form as TraceQL, and the answer as rows. */

export interface SearchAnswer {
  traces?: {
    traceID: string;
    rootServiceName?: string;
    rootTraceName?: string;
    startTimeUnixNano?: string;
    durationMs?: number;
    serviceStats?: Record<string, { spanCount?: number; errorCount?: number }>;
  }[];
}

export interface FoundTrace {
  id: string;
  service: string;
  name: string;
  startMs: number;
  durationMs: number;
  spans: number;
  failed: number;
  services: string[];
}

/* What the form holds; TraceQL that it cannot say stays in the text box alone. */
export interface SearchForm {
  service: string;
  name: string;
  minDuration: string;
  failed: boolean;
}

/* TraceQL takes Go's escapes in quotes. */
const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`;

export function formQuery(form: SearchForm): string {
  const conditions = [
    form.service && `resource.service.name = ${quoted(form.service)}`,
    form.name && `name = ${quoted(form.name)}`,
    form.minDuration && `duration >= ${form.minDuration}`,
    form.failed && 'status = error',
  ].filter(Boolean);
  return `{ ${conditions.join(' && ')} }`.replace('{  }', '{ }');
}

const UNQUOTED = (text: string) => text.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
const CONDITION =
  /^(?:(resource\.service\.name|name) = "((?:[^"\\]|\\.)*)"|duration >= ([\d.]+(?:ns|us|µs|ms|s|m|h))|(status = error))$/;

/* The form of a query that `formQuery` could have written; undefined for all others. */
export function parseForm(query: string): SearchForm | undefined {
  const form: SearchForm = { service: '', name: '', minDuration: '', failed: false };
  const inside = /^\s*\{\s*(.*?)\s*\}\s*$/s.exec(query)?.[1];
  if (inside === undefined) {
    return undefined;
  }
  for (const condition of inside === '' ? [] : inside.split(' && ')) {
    const found = CONDITION.exec(condition);
    if (!found) {
      return undefined;
    }
    const [, field, text, duration] = found;
    if (field === 'name') {
      form.name = UNQUOTED(text!);
    } else if (field) {
      form.service = UNQUOTED(text!);
    } else if (duration) {
      form.minDuration = duration;
    } else {
      form.failed = true;
    }
  }
  return form;
}

export function foundTraces(answer: SearchAnswer): FoundTrace[] {
  return (answer.traces ?? []).map((t) => {
    const stats = Object.entries(t.serviceStats ?? {});
    const sum = (pick: (s: { spanCount?: number; errorCount?: number }) => number | undefined) =>
      stats.reduce((n, [, s]) => n + (pick(s) ?? 0), 0);
    return {
      id: t.traceID,
      service: t.rootServiceName ?? '',
      name: t.rootTraceName ?? '',
      startMs: Number(BigInt(t.startTimeUnixNano ?? 0) / 1_000_000n),
      durationMs: t.durationMs ?? 0,
      spans: sum((s) => s.spanCount),
      failed: sum((s) => s.errorCount),
      services: stats.map(([name]) => name),
    };
  });
}

/* Questions about the service of a span, in PromQL, as the agent's span metrics name things. These come
 * every 15 seconds, whatever the interval of scrapes is: over a minute there are always some. */
export function serviceQueries(service: string): string[] {
  const of = `service=${quoted(service)}`;
  return [
    `sum by (span_name) (rate(traces_spanmetrics_calls_total{${of}, span_kind="SPAN_KIND_SERVER"}[1m]))`,
    `sum(rate(traces_spanmetrics_calls_total{${of}, status_code="STATUS_CODE_ERROR"}[1m])) / sum(rate(traces_spanmetrics_calls_total{${of}}[1m]))`,
    `histogram_quantile(0.99, sum by (span_name) (rate(traces_spanmetrics_latency{${of}}[1m])))`,
  ];
}
