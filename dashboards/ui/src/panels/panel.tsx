/* The frame around every panel: title, notices, menu, and the choice of body. It asks for data only
 * while the panel is in sight. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { errorPosition } from '../api/client';
import { Icon } from '../controls/icons';
import { Popover } from '../controls/popover';
import type { Panel } from '../model/dashboard';
import { SERIES_MAX, rawSeries } from '../model/frames';
import { interpolate, type Scope } from '../model/interpolate';
import { formatDuration } from '../model/time';
import { usePanelData, type PanelData, type TargetError } from '../panel_data';
import {
  navigate,
  range,
  scrapeKnown,
  scrapeMs,
  setRange,
  theme,
  timeWindow,
  update,
} from '../state';
import { BarGaugePanel } from './bargauge';
import { downloadCsv } from './csv';
import { GaugePanel } from './gauge';
import { HeatmapPanel } from './heatmap';
import { StatPanel } from './stat';
import { TablePanel } from './table';
import { TextPanel } from './text';
import { TimeseriesPanel } from './timeseries';
import type { PanelBody } from './types';
import { useInSight, useSize } from './measure';

const BODIES: Record<string, PanelBody> = {
  timeseries: TimeseriesPanel,
  stat: StatPanel,
  gauge: GaugePanel,
  heatmap: HeatmapPanel,
  bargauge: BarGaugePanel,
  table: TablePanel,
  text: TextPanel,
};

export interface PanelFrameProps {
  panel: Panel;
  scope: Scope;
  ready: boolean;
  syncKey?: string;
  full?: boolean;
}

export function PanelFrame({ panel, scope, ready, syncKey, full }: PanelFrameProps): JSX.Element {
  const host = useRef<HTMLElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const inSight = useInSight(host);
  const { width, height } = useSize(body);
  const active = ready && scrapeKnown.value && inSight && width > 0 && panel.type in BODIES;
  const data = usePanelData({
    panel,
    scope,
    window: timeWindow.value,
    widthPx: width,
    scrapeMs: scrapeMs.value,
    active,
  });
  const title = interpolate(panel.title, { ...scope, ...data.scope }, 'text');
  const Body = BODIES[panel.type];
  const window = windowShown(data) ?? timeWindow.value;

  return (
    <section
      class={`panel panel-${panel.type} ${panel.transparent ? 'transparent' : ''}`}
      ref={host}
      aria-label={title}
      data-panel={panel.id}
      data-state={stateOf(data)}
    >
      {data.loading && <LoadingBar />}
      {(title || data.errors.length > 0) && (
        <header class="panel-head">
          <h3 title={panel.description || title}>{title}</h3>
          {panel.description && (
            <Description text={interpolate(panel.description, scope, 'text')} />
          )}
          <Notices data={data} />
          <PanelMenu panel={panel} data={data} full={full} />
        </header>
      )}
      <div class="panel-body" ref={body}>
        {!Body ? (
          <Unsupported type={panel.type} />
        ) : data.errors.length > 0 && data.results.length === 0 ? (
          <Errors errors={data.errors} />
        ) : (
          width > 0 && (
            <Body
              panel={panel}
              data={data}
              theme={theme.value}
              window={window}
              width={width}
              height={height}
              syncKey={syncKey}
              onZoom={(from, to) => setRange({ from: String(from), to: String(to) })}
            />
          )
        )}
      </div>
    </section>
  );
}

function stateOf(data: PanelData): string {
  return data.errors.length > 0
    ? 'error'
    : !data.loaded
      ? 'waiting'
      : data.results.some((r) => rawSeries(r.data).length > 0)
        ? 'data'
        : 'empty';
}

/* The window the data were asked for: the axis moves together with the lines, not before them. */
function windowShown(data: PanelData) {
  const first = data.results[0];
  return first && first.data.resultType === 'matrix'
    ? { from: first.from, to: first.to }
    : undefined;
}

/* Only when an answer takes long enough to be noticed. */
function LoadingBar() {
  const [shown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), 350);
    return () => clearTimeout(timer);
  }, []);
  return shown ? <div class="loading-bar" role="progressbar" aria-label="Loading" /> : null;
}

function Description({ text }: { text: string }) {
  return (
    <span class="panel-info" title={text}>
      <Icon name="info" size={13} />
    </span>
  );
}

function Notices({ data }: { data: PanelData }) {
  const series = data.results.reduce((n, r) => n + rawSeries(r.data).length, 0);
  const texts = [
    ...data.notices,
    ...(series > SERIES_MAX
      ? [`${series} series, of which ${SERIES_MAX} are drawn. Aggregate or select fewer.`]
      : []),
    ...(data.results.length > 0 ? data.errors.map((e) => `${e.refId}: ${e.message}`) : []),
  ];
  if (texts.length === 0) {
    return null;
  }
  return (
    <span class="panel-notice" title={texts.join('\n')} role="status" aria-label={texts.join('. ')}>
      <Icon name="warning" size={14} />
    </span>
  );
}

const ERRORS_SHOWN = 3;

function Errors({ errors }: { errors: TargetError[] }) {
  const different = errors.filter((e, i) => errors.findIndex((o) => o.message === e.message) === i);
  return (
    <div class="panel-error" role="alert">
      <Icon name="warning" size={18} />
      {different.slice(0, ERRORS_SHOWN).map((e) => (
        <ErrorText key={e.message} error={e} />
      ))}
    </div>
  );
}

const CONTEXT = 40;

/* The message, and the place in the expression it speaks of. */
export function ErrorText({ error }: { error: TargetError }): JSX.Element {
  const position = errorPosition(error.message);
  const line = position ? error.expr.split('\n')[position.line - 1] : undefined;
  let place: ComponentChildren = null;
  if (position && line !== undefined) {
    const at = Math.min(line.length, position.column - 1);
    const before = line.slice(Math.max(0, at - CONTEXT), at);
    place = (
      <code class="error-place">
        {at > CONTEXT ? '…' : ''}
        {before}
        <mark>{line.slice(at, at + 1) || '\u00a0'}</mark>
        {line.slice(at + 1, at + CONTEXT)}
      </code>
    );
  }
  return (
    <div class="error-text">
      <span>{error.message}</span>
      {place}
    </div>
  );
}

function Unsupported({ type }: { type: string }) {
  return (
    <div class="panel-message">
      <span>Panels of type “{type}” are not drawn here.</span>
      <small>Grafana draws them from the same file.</small>
    </div>
  );
}

function PanelMenu({ panel, data, full }: { panel: Panel; data: PanelData; full?: boolean }) {
  const explore = () =>
    navigate({
      view: 'explore',
      range: range.value,
      queries: data.results.map((r) => ({
        expr: r.expr,
        tab: r.target.instant ? 'table' : 'graph',
      })),
    });
  const facts = data.loaded
    ? `${data.stepMs ? `step ${formatDuration(data.stepMs)}, ` : ''}${Math.round(data.elapsedMs)} ms`
    : '';
  return (
    <Popover
      label={<Icon name="more" size={14} />}
      title={`Menu of ${panel.title}`}
      buttonClass="panel-menu"
      align="right"
      boxClass="menu"
    >
      {(close) => (
        <>
          <button
            type="button"
            onClick={() => (close(), update({ viewPanel: full ? undefined : panel.id }, true))}
          >
            <Icon name="expand" size={14} /> {full ? 'Back to all panels' : 'View alone'}
          </button>
          <button
            type="button"
            disabled={data.results.length === 0}
            onClick={() => (close(), explore())}
          >
            <Icon name="compass" size={14} /> Explore
          </button>
          <button
            type="button"
            disabled={data.results.length === 0}
            onClick={() => (close(), downloadCsv(panel, data))}
          >
            <Icon name="grid" size={14} /> Download CSV
          </button>
          {facts && <small>{facts}</small>}
        </>
      )}
    </Popover>
  );
}
