/* What the server says of traces: Tempo's API, and exemplars, which lead to them. */
import { document } from './client';
import type { OtlpTrace } from '../model/trace';
import type { SearchAnswer } from '../model/trace_search';
import type { ExemplarAnswer } from '../model/exemplars';

interface Within {
  from: number;
  to: number;
}

const seconds = ({ from, to }: Within) => ({
  start: Math.floor(from / 1000),
  end: Math.ceil(to / 1000),
});

export async function searchTraces(
  q: string,
  within: Within,
  limit: number,
  signal?: AbortSignal,
): Promise<SearchAnswer> {
  const parameters = { q, limit, spss: 1, ...seconds(within) };
  return (await document('api/search', parameters, signal)) as SearchAnswer;
}

export async function openTrace(id: string, signal?: AbortSignal): Promise<OtlpTrace> {
  const body = await document(`api/v2/traces/${encodeURIComponent(id)}`, {}, signal);
  return (body as { trace?: OtlpTrace }).trace ?? {};
}

/* Values of a field of TraceQL, such as resource.service.name. */
export async function fieldValues(field: string, within: Within): Promise<string[]> {
  const path = `api/v2/search/tag/${encodeURIComponent(field)}/values`;
  const body = await document(path, seconds(within));
  const values = (body as { tagValues?: { value: string }[] }).tagValues ?? [];
  return values.map((v) => v.value);
}

export async function queryExemplars(
  expr: string,
  within: Within,
  signal?: AbortSignal,
): Promise<ExemplarAnswer> {
  const body = await document(
    'api/v1/query_exemplars',
    { query: expr, ...seconds(within) },
    signal,
  );
  return (body as { data?: ExemplarAnswer }).data ?? [];
}
