/* Explore: type an expression, see it as a graph or a table. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { errorPosition } from '../api/client';
import { ExpressionEditor } from '../controls/expression_editor';
import { rememberExpression } from '../controls/history';
import { Icon } from '../controls/icons';
import type { Panel } from '../model/dashboard';
import { rawSeries } from '../model/frames';
import { formatDuration } from '../model/time';
import { QUERIES_MAX, type ExploreQuery, type Tab } from '../model/url';
import { ErrorText } from '../panels/panel';
import { useSize } from '../panels/measure';
import { TablePanel } from '../panels/table';
import { TimeseriesPanel } from '../panels/timeseries';
import { usePanelData, type PanelData } from '../panel_data';
import {
  adoptDefaults,
  page,
  refreshNow,
  scrapeKnown,
  scrapeMs,
  setRange,
  theme,
  timeWindow,
  update,
} from '../state';
import { Examples } from './examples';

const EMPTY_QUERY: ExploreQuery = { expr: '', tab: 'graph' };

export function ExploreView() {
  const queries = page.value.queries.length > 0 ? page.value.queries : [EMPTY_QUERY];
  useEffect(() => {
    document.title = 'Explore · Sonde';
    adoptDefaults({ range: { from: 'now-1h', to: 'now' }, refresh: '' });
  }, []);
  const change = (at: number, query: ExploreQuery) =>
    update({ queries: queries.map((q, i) => (i === at ? query : q)) }, true);
  const remove = (at: number) => update({ queries: queries.filter((_, i) => i !== at) }, true);
  return (
    <main class="explore">
      {queries.map((query, i) => (
        <QueryBox
          key={i}
          index={i}
          query={query}
          onChange={(q) => change(i, q)}
          onRemove={queries.length > 1 ? () => remove(i) : undefined}
        />
      ))}
      {queries.length < QUERIES_MAX && (
        <button
          type="button"
          class="button add-query"
          onClick={() => update({ queries: [...queries, EMPTY_QUERY] })}
        >
          <Icon name="plus" size={14} /> Add query
        </button>
      )}
    </main>
  );
}

function panelFor(query: ExploreQuery): Panel {
  const table = query.tab === 'table';
  return {
    id: 1,
    type: table ? 'table' : 'timeseries',
    title: '',
    description: '',
    gridPos: { x: 0, y: 0, w: 24, h: 12 },
    targets: [
      {
        refId: 'A',
        expr: query.expr,
        instant: table,
        exemplar: true,
        format: table ? 'table' : 'time_series',
        legendFormat: '__auto',
      },
    ],
    defaults: {
      unit: 'short',
      custom: { lineWidth: 1, fillOpacity: 6 },
      color: { mode: 'palette-classic' },
      ...(table ? { unit: 'none' } : {}),
    },
    overrides: [],
    options: {
      legend: {
        displayMode: 'table',
        placement: 'bottom',
        calcs: ['lastNotNull', 'mean', 'min', 'max'],
        showLegend: true,
      },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    transformations: [
      { id: 'organize', options: { excludeByName: { Time: true }, indexByName: { __name__: 0 } } },
    ],
    collapsed: false,
    panels: [],
    transparent: false,
  };
}

interface QueryBoxProps {
  index: number;
  query: ExploreQuery;
  onChange: (query: ExploreQuery) => void;
  onRemove?: () => void;
}

function QueryBox({ index, query, onChange, onRemove }: QueryBoxProps) {
  const [draft, setDraft] = useState(query.expr);
  const body = useRef<HTMLDivElement>(null);
  const { width } = useSize(body);
  const panel = useMemo(() => panelFor(query), [query.expr, query.tab]);
  const active = query.expr.trim() !== '' && width > 0 && scrapeKnown.value;
  const data = usePanelData({
    panel,
    scope: {},
    window: timeWindow.value,
    widthPx: width,
    scrapeMs: scrapeMs.value,
    active,
  });
  useEffect(() => setDraft(query.expr), [query.expr]);
  const answered = data.results[0]?.expr;
  useEffect(() => {
    if (answered) {
      rememberExpression(answered);
    }
  }, [answered]);

  const run = (expr = draft) => {
    const next = expr.trim();
    if (next === query.expr) {
      refreshNow();
    } else {
      onChange({ ...query, expr: next });
    }
  };
  const failed = data.errors[0];
  const position = failed && failed.expr === draft ? errorPosition(failed.message) : undefined;
  return (
    <section class="query-box" aria-label={`Query ${index + 1}`}>
      <div class="query-line">
        <ExpressionEditor
          value={draft}
          onChange={setDraft}
          onRun={run}
          error={position}
          autofocus={index === 0 && query.expr === ''}
        />
        <button type="button" class="button primary" onClick={() => run()} title="Run (Ctrl-Enter)">
          <Icon name="play" size={14} /> Run
        </button>
        {onRemove && (
          <button
            type="button"
            class="button icon-only"
            title="Remove this query"
            aria-label="Remove this query"
            onClick={onRemove}
          >
            <Icon name="trash" />
          </button>
        )}
      </div>
      <div class="query-tabs" role="tablist">
        {(['graph', 'table'] as Tab[]).map((tab) => (
          <button
            type="button"
            role="tab"
            key={tab}
            aria-selected={query.tab === tab}
            onClick={() => onChange({ ...query, tab, expr: draft.trim() })}
          >
            {tab === 'graph' ? 'Graph' : 'Table'}
          </button>
        ))}
        {active && <Facts data={data} tab={query.tab} />}
      </div>
      <div
        class="query-result"
        ref={body}
        data-state={failed ? 'error' : data.loaded ? 'data' : 'waiting'}
      >
        {query.expr.trim() === '' ? (
          <Examples onPick={(expr) => run(expr)} />
        ) : (
          <Result data={data} panel={panel} width={width} />
        )}
      </div>
    </section>
  );
}

function Facts({ data, tab }: { data: PanelData; tab: Tab }) {
  if (!data.loaded) {
    return <small class="query-facts">…</small>;
  }
  const series = data.results.reduce((n, r) => n + rawSeries(r.data).length, 0);
  const parts = [
    `${series} series`,
    ...(tab === 'graph' && data.stepMs ? [`step ${formatDuration(data.stepMs)}`] : []),
    `${Math.round(data.elapsedMs)} ms`,
  ];
  return <small class="query-facts">{parts.join(' · ')}</small>;
}

/* Of the chart alone; the legend below it is as long as it must be. */
const GRAPH_HEIGHT = 340;

function Result({ data, panel, width }: { data: PanelData; panel: Panel; width: number }) {
  if (data.errors.length > 0) {
    return (
      <div class="query-error" role="alert">
        <Icon name="warning" size={18} />
        <ErrorText error={data.errors[0]!} />
      </div>
    );
  }
  const first = data.results[0];
  const window =
    first && first.data.resultType === 'matrix'
      ? { from: first.from, to: first.to }
      : timeWindow.value;
  const props = { panel, data, theme: theme.value, window, width, height: GRAPH_HEIGHT };
  const empty =
    data.loaded &&
    data.results.every((r) => rawSeries(r.data).length === 0 && r.data.resultType !== 'string');
  return (
    <>
      {data.notices.map((notice) => (
        <p class="query-notice" key={notice}>
          <Icon name="warning" size={14} /> {notice}
        </p>
      ))}
      {data.infos.map((info) => (
        <p class="query-notice" key={info}>
          <Icon name="info" size={14} /> {info}
        </p>
      ))}
      {empty ? (
        <div class="query-empty">
          <b>No series matched.</b> Check the name, the label values and the time range.
        </div>
      ) : panel.type === 'table' ? (
        <TablePanel {...props} />
      ) : (
        <TimeseriesPanel
          {...props}
          longLegend
          onZoom={(from, to) => setRange({ from: String(from), to: String(to) })}
        />
      )}
    </>
  );
}
