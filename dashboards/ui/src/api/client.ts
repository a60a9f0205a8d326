/* The HTTP API of the server this page came from.
 *
 * All addresses are relative to the page, so everything works under a route prefix. At most
 * PARALLEL_MAX requests run at once: a page of thirty panels must not fill the server's query lane,
 * and what has scrolled out of sight is cancelled before it starts.
 */
import type { BuildInfo, MetricMetadata, QueryAnswer, QueryData } from './types';
import type { Labels } from '../model/legend';

const PARALLEL_MAX = 8;
/* Longer queries go into the body of a POST. */
const URL_MAX = 2000;

export type ErrorKind =
  'unreachable' | 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'not_json' | string;

export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    message: string,
    readonly status = 0,
  ) {
    super(message);
  }
}

/* Where in the expression an error is: counted from 1, as the server says it ("1:8: parse
 * error"). */
export function errorPosition(
  message: string,
): { line: number; column: number; text: string } | undefined {
  const m = /(?:^|[\s:"])(\d+):(\d+):\s*(.*)$/s.exec(message);
  return m ? { line: Number(m[1]), column: Number(m[2]), text: m[3]! } : undefined;
}

let running = 0;
const waiting: (() => void)[] = [];

async function slot(signal?: AbortSignal): Promise<void> {
  if (running >= PARALLEL_MAX) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  running++;
  if (signal?.aborted) {
    release();
    throw new ApiError('canceled', 'canceled');
  }
}

function release(): void {
  running--;
  waiting.shift()?.();
}

type Parameters = Record<string, string | number | string[] | undefined>;

function encode(parameters: Parameters): URLSearchParams {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== '') {
        search.append(key, String(item));
      }
    }
  }
  return search;
}

interface Envelope {
  status: string;
  data?: unknown;
  error?: string;
  errorType?: string;
  warnings?: string[];
  infos?: string[];
}

async function call(path: string, parameters: Parameters, signal?: AbortSignal): Promise<Envelope> {
  return (await document(path, parameters, signal, isEnvelope)) as Envelope;
}

const isEnvelope = (body: unknown) => (body as Envelope | undefined)?.status === 'success';

/* Asks for JSON that `isAnswer`; anything else becomes an ApiError. */
export async function document(
  path: string,
  parameters: Parameters,
  signal?: AbortSignal,
  isAnswer: (body: unknown) => boolean = (body) => typeof body === 'object' && body !== null,
): Promise<unknown> {
  await slot(signal);
  try {
    const search = encode(parameters).toString();
    const long = search.length > URL_MAX && !path.includes('/values');
    const response = await fetch(long || !search ? path : `${path}?${search}`, {
      signal,
      headers: { Accept: 'application/json' },
      ...(long ? { method: 'POST', body: new URLSearchParams(search) } : {}),
    });
    return await parse(response, isAnswer);
  } catch (error) {
    throw explain(error);
  } finally {
    release();
  }
}

async function parse(response: Response, isAnswer: (body: unknown) => boolean): Promise<unknown> {
  const text = await response.text();
  let body: Envelope | undefined;
  try {
    body = JSON.parse(text) as Envelope;
  } catch {
    body = undefined;
  }
  if (response.ok && isAnswer(body)) {
    return body;
  }
  if (body?.status === 'error') {
    throw new ApiError(
      body.errorType ?? 'error',
      body.error ?? 'the server gave no reason',
      response.status,
    );
  }
  const start = text
    .replace(/<[^>]*>/g, ' ')
    .trim()
    .slice(0, 200);
  const hint =
    response.status === 503 || response.status === 429
      ? 'The server is overloaded or starting. '
      : '';
  throw new ApiError(
    'not_json',
    `${hint}HTTP ${response.status} ${response.statusText}${start ? ': ' + start : ''}`,
    response.status,
  );
}

function explain(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  if (error instanceof DOMException && error.name === 'AbortError') {
    return new ApiError('canceled', 'canceled');
  }
  return new ApiError('unreachable', 'The server does not answer.');
}

async function ask(
  path: string,
  parameters: Parameters,
  signal?: AbortSignal,
): Promise<QueryAnswer> {
  const start = performance.now();
  const body = await call(path, parameters, signal);
  return {
    data: body.data as QueryData,
    warnings: body.warnings ?? [],
    infos: body.infos ?? [],
    elapsedMs: performance.now() - start,
  };
}

const seconds = (ms: number) => ms / 1000;

export interface RangeQuery {
  expr: string;
  from: number;
  to: number;
  stepMs: number;
}

export function queryRange(q: RangeQuery, signal?: AbortSignal): Promise<QueryAnswer> {
  const parameters = {
    query: q.expr,
    start: seconds(q.from),
    end: seconds(q.to),
    step: seconds(q.stepMs),
  };
  return ask('api/v1/query_range', parameters, signal);
}

export function queryInstant(
  expr: string,
  atMs: number,
  signal?: AbortSignal,
): Promise<QueryAnswer> {
  return ask('api/v1/query', { query: expr, time: seconds(atMs) }, signal);
}

interface Within {
  from: number;
  to: number;
}

const range = (within?: Within) =>
  within ? { start: Math.floor(seconds(within.from)), end: Math.ceil(seconds(within.to)) } : {};

export async function labelValues(
  label: string,
  match?: string,
  within?: Within,
  limit?: number,
): Promise<string[]> {
  const path = `api/v1/label/${encodeURIComponent(label)}/values`;
  const body = await call(path, { 'match[]': match, limit, ...range(within) });
  return (body.data as string[] | null) ?? [];
}

export async function labelNames(match?: string, within?: Within): Promise<string[]> {
  const body = await call('api/v1/labels', { 'match[]': match, ...range(within) });
  return (body.data as string[] | null) ?? [];
}

export async function series(match: string, within?: Within, limit?: number): Promise<Labels[]> {
  const body = await call('api/v1/series', { 'match[]': match, limit, ...range(within) });
  return (body.data as Labels[] | null) ?? [];
}

export async function metadata(): Promise<Record<string, MetricMetadata[]>> {
  const body = await call('api/v1/metadata', {});
  return (body.data as Record<string, MetricMetadata[]> | null) ?? {};
}

export async function buildInfo(): Promise<BuildInfo> {
  const body = await call('api/v1/status/buildinfo', {});
  return (body.data as BuildInfo | null) ?? {};
}

export interface DashboardEntry {
  name: string;
  uid: string;
  title: string;
  description: string;
  tags: string[];
}

async function file(path: string): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { Accept: 'application/json' } });
  } catch (error) {
    throw explain(error);
  }
  if (!response.ok) {
    throw new ApiError('not_found', `HTTP ${response.status}: ${path}`, response.status);
  }
  try {
    return await response.json();
  } catch {
    throw new ApiError('not_json', `${path} is not JSON`);
  }
}

export async function dashboardIndex(): Promise<DashboardEntry[]> {
  return (await file('ui/dashboards/index.json')) as DashboardEntry[];
}

export function dashboardFile(name: string): Promise<unknown> {
  return file(`ui/dashboards/${encodeURIComponent(name)}.json`);
}
