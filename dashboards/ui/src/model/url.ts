/* The address holds the whole state of the page, so that a link shows others what you see.
 *
 * Three pages, all one level deep, so that relative addresses work on each and under any prefix:
 *   ./?d=host-use&from=now-30m&to=now&refresh=10s&var-instance=a&viewPanel=7     a dashboard
 *   ./graph?g0.expr=up&g0.tab=0&g1.expr=…&from=…&to=…                           explore
 *   ./traces?q={status=error}&from=…&to=…       search     ./traces?trace=5b8e…&span=eee1…   a trace
 * Parameters of dashboards are Grafana's; those of explore are Prometheus', whose links (alerts
 * carry them) therefore open here too: g0.range_input and g0.end_input are understood.
 */
import { parseDuration, type TimeRange } from './time';

export type Tab = 'graph' | 'table';

export interface ExploreQuery {
  expr: string;
  tab: Tab;
}

export interface PageState {
  view: 'dashboard' | 'explore' | 'traces';
  /* File name of the dashboard without .json; empty for the first of the index. */
  dashboard: string;
  variables: Record<string, string[]>;
  viewPanel?: number;
  queries: ExploreQuery[];
  /* TraceQL of the search; the trace that is open and the span chosen in it, by their ids. */
  traceQuery?: string;
  trace?: string;
  span?: string;
  range?: TimeRange;
  refresh?: string;
}

/* Queries of one explore page. */
export const QUERIES_MAX = 10;

function viewOf(pathname: string): PageState['view'] {
  const place = /\/(graph|traces)\/?$/.exec(pathname)?.[1];
  return place === 'graph' ? 'explore' : place === 'traces' ? 'traces' : 'dashboard';
}

export function parseUrl(pathname: string, search: string): PageState {
  const parameters = new URLSearchParams(search);
  const state: PageState = {
    view: viewOf(pathname),
    dashboard: parameters.get('d') ?? '',
    variables: {},
    queries: [],
  };
  for (const key of new Set(parameters.keys())) {
    if (key.startsWith('var-')) {
      state.variables[key.slice(4)] = parameters
        .getAll(key)
        .map((v) => (v === 'All' ? '$__all' : v));
    }
  }
  const panel = Number(parameters.get('viewPanel'));
  if (panel > 0) {
    state.viewPanel = panel;
  }
  for (let i = 0; i < QUERIES_MAX && parameters.has(`g${i}.expr`); i++) {
    const tab = parameters.get(`g${i}.tab`);
    state.queries.push({
      expr: parameters.get(`g${i}.expr`)!,
      tab: tab === '1' || tab === 'table' ? 'table' : 'graph',
    });
  }
  state.traceQuery = parameters.get('q') ?? undefined;
  state.trace = parameters.get('trace') ?? undefined;
  state.span = parameters.get('span') ?? undefined;
  state.range = parseRange(parameters);
  state.refresh = parameters.get('refresh') ?? undefined;
  return state;
}

function parseRange(parameters: URLSearchParams): TimeRange | undefined {
  const from = parameters.get('from');
  const to = parameters.get('to');
  if (from && to) {
    return { from, to };
  }
  const span = parseDuration(parameters.get('g0.range_input') ?? '');
  if (span === undefined) {
    return undefined;
  }
  const end = parameters.get('g0.end_input');
  const endMs = end
    ? Date.parse(end.replace(' ', 'T') + (/[zZ]|[+-]\d\d:?\d\d$/.test(end) ? '' : 'Z'))
    : NaN;
  if (Number.isNaN(endMs)) {
    return { from: `now-${parameters.get('g0.range_input')}`, to: 'now' };
  }
  return { from: String(endMs - span), to: String(endMs) };
}

export function formatUrl(state: PageState): string {
  const parameters = new URLSearchParams();
  if (state.view === 'traces') {
    const place = { q: state.traceQuery, trace: state.trace, span: state.trace && state.span };
    for (const [name, value] of Object.entries(place)) {
      if (value) {
        parameters.set(name, value);
      }
    }
  } else if (state.view === 'explore') {
    const queries = state.queries.filter((q) => q.expr !== '').slice(0, QUERIES_MAX);
    queries.forEach((q, i) => {
      parameters.set(`g${i}.expr`, q.expr);
      parameters.set(`g${i}.tab`, q.tab === 'table' ? '1' : '0');
    });
  } else {
    if (state.dashboard) {
      parameters.set('d', state.dashboard);
    }
    for (const [name, values] of Object.entries(state.variables)) {
      for (const value of values) {
        parameters.append(`var-${name}`, value);
      }
    }
    if (state.viewPanel) {
      parameters.set('viewPanel', String(state.viewPanel));
    }
  }
  if (state.range) {
    parameters.set('from', state.range.from);
    parameters.set('to', state.range.to);
  }
  // "Off" must be said: the dashboard may want to refresh by itself.
  if (state.refresh || (state.refresh === '' && state.view === 'dashboard')) {
    parameters.set('refresh', state.refresh);
  }
  const search = parameters.toString();
  const place = { explore: 'graph', traces: 'traces', dashboard: './' }[state.view];
  return place + (search ? `?${search}` : '');
}
