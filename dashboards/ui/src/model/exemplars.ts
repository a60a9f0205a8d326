/* Exemplars: single requests behind a number, with the trace they belong to. */
import type { Labels } from './legend';

export type ExemplarAnswer = {
  seriesLabels: Labels;
  exemplars: { labels: Labels; value: string; timestamp: number }[];
}[];

export interface Exemplar {
  /* Seconds since 1970. */
  time: number;
  value: number;
  traceId: string;
  spanId: string;
  labels: Labels;
  series: Labels;
}

/* Marks of one chart: more would hide the lines. */
export const EXEMPLARS_MAX = 120;

/* Names under which libraries put the id. */
const TRACE_KEYS = ['trace_id', 'traceID', 'traceId', 'TraceID'];
const SPAN_KEYS = ['span_id', 'spanID', 'spanId', 'SpanID'];

const first = (labels: Labels, keys: string[]): string =>
  keys.map((key) => labels[key]).find(Boolean) ?? '';

/* Those that lead to a trace, each trace once: of each stretch of the window the one with the
 * largest value, for it is the slow ones that one looks for. */
export function pickExemplars(
  answer: ExemplarAnswer,
  from: number,
  to: number,
  most = EXEMPLARS_MAX,
): Exemplar[] {
  const width = Math.max(1, (to - from) / most);
  const best = new Map<number, Exemplar>();
  for (const { seriesLabels, exemplars } of answer) {
    for (const { labels, value, timestamp } of exemplars) {
      const traceId = first(labels, TRACE_KEYS);
      const number = Number(value);
      if (traceId === '' || !Number.isFinite(number) || timestamp < from || timestamp > to) {
        continue;
      }
      const at = Math.min(most - 1, Math.floor((timestamp - from) / width));
      const held = best.get(at);
      if (held === undefined || number > held.value) {
        const spanId = first(labels, SPAN_KEYS);
        const series = seriesLabels;
        best.set(at, { time: timestamp, value: number, traceId, spanId, labels, series });
      }
    }
  }
  return [...best.values()].sort((a, b) => a.time - b.time);
}
