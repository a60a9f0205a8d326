/* Candidates for the editor: names, labels and values from the server, functions from a table. */
import { labelNames, labelValues, metadata } from '../api/client';
import { rank, type Candidate, type CompletionContext } from '../model/completion';
import { AGGREGATIONS, FUNCTIONS } from '../model/promql';
import { timeWindow } from '../state';
import type { MetricMetadata } from '../api/types';

const CANDIDATES_MAX = 60;
/* Values of one label that are fetched. */
const VALUES_MAX = 2000;
/* Answers are kept this long. */
const CACHE_MS = 60_000;

const cache = new Map<string, { at: number; value: Promise<unknown> }>();

function cached<T>(key: string, ask: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known && Date.now() - known.at < CACHE_MS) {
    return known.value as Promise<T>;
  }
  const value = ask();
  cache.set(key, { at: Date.now(), value });
  value.catch(() => cache.delete(key));
  return value;
}

const metricNames = () =>
  cached('names', () => labelValues('__name__', undefined, timeWindow.value));
const help = () =>
  cached('help', () => metadata().catch(() => ({}) as Record<string, MetricMetadata[]>));

async function names(prefix: string): Promise<Candidate[]> {
  const [metrics, about] = await Promise.all([metricNames(), help()]);
  const all = [...Object.keys(FUNCTIONS), ...Object.keys(AGGREGATIONS), ...metrics];
  return rank(all, prefix, CANDIDATES_MAX).map((text) => {
    const description = FUNCTIONS[text] ?? AGGREGATIONS[text];
    if (description) {
      return { text, kind: text in FUNCTIONS ? 'function' : 'aggregation', detail: description };
    }
    const facts = about[text]?.[0] ?? about[text.replace(/_(bucket|sum|count)$/, '')]?.[0];
    return {
      text,
      kind: 'metric',
      detail: facts ? `${facts.type}${facts.help ? ': ' + facts.help : ''}` : '',
    };
  });
}

/* What could stand at the caret; an empty list when the server cannot say. */
export async function candidates(context: CompletionContext): Promise<Candidate[]> {
  const { kind, prefix, metric, label } = context;
  try {
    if (kind === 'name') {
      return await names(prefix);
    }
    if (kind === 'label') {
      const found = await cached(`labels ${metric}`, () => labelNames(metric, timeWindow.value));
      const labels = rank(
        found.filter((l) => l !== '__name__'),
        prefix,
        CANDIDATES_MAX,
      );
      return labels.map((text) => ({ text, kind: 'label', detail: '' }));
    }
    if (kind === 'value' && label) {
      const found = await cached(`values ${label} ${metric}`, () =>
        labelValues(label, metric, timeWindow.value, VALUES_MAX),
      );
      return rank(found, prefix, CANDIDATES_MAX).map((text) => ({
        text,
        kind: 'value',
        detail: '',
      }));
    }
  } catch {
    // Completion is a convenience; the query itself will report what is wrong.
  }
  return [];
}
