/* Lines, areas and bars over time, with a legend. */
import { useMemo, useState } from 'preact/hooks';
import { Chart } from '../chart/chart';
import { chartModel } from '../chart/options';
import { fieldColor } from '../model/color';
import { isHidden } from '../model/field';
import { buildFrame, SERIES_MAX, type Frame } from '../model/frames';
import { reduce } from '../model/reduce';
import type { Exemplar } from '../model/exemplars';
import { navigate } from '../state';
import { Legend, type LegendEntry } from './legend';
import { Empty } from './empty';
import { nextHidden } from './pick';
import type { PanelProps } from './types';

/* A chart lower than this says nothing; the legend gives way first. */
const CHART_MIN_PX = 90;
const LEGEND_ROW_PX = 20;
const LEGEND_SHARE_MAX = 0.46;
const LEGEND_RIGHT_PX = 290;

interface LegendOptions {
  showLegend?: boolean;
  displayMode?: string;
  placement?: string;
  calcs?: string[];
}

export function TimeseriesPanel(props: PanelProps) {
  const { panel, data, theme, width, height } = props;
  const frame = useMemo(() => limited(buildFrame(data.results, panel, data.scope)), [data, panel]);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const colors = useMemo(() => colorsOf(frame), [frame]);
  const model = useMemo(
    () => chartModel(frame, (s) => !hidden.has(s.name), colors),
    [frame, hidden, colors],
  );
  const exemplars = useMemo(() => data.results.flatMap((r) => r.exemplars ?? []), [data]);
  const entries = useMemo(
    () =>
      frame.series
        .map((series, index) => ({ series, index, color: colors[index]! }))
        .filter((e) => !isHidden(e.series.config.custom, 'legend')),
    [frame, colors],
  );

  if (frame.series.length === 0) {
    return <Empty {...props} />;
  }
  const legend = (panel.options.legend ?? {}) as LegendOptions;
  const shown = legend.showLegend !== false && legend.displayMode !== 'hidden';
  const right = shown && legend.placement === 'right' && width > 2 * LEGEND_RIGHT_PX;
  const legendHeight =
    !shown || right || props.longLegend ? 0 : legendHeightOf(entries, legend, width, height);
  const tooltip = (panel.options.tooltip ?? {}) as { mode?: string; sort?: string };
  const style = panel.defaults.custom?.thresholdsStyle?.mode ?? 'off';

  const pick = (entry: LegendEntry, add: boolean) =>
    setHidden(
      nextHidden(
        hidden,
        entries.map((e) => e.series.name),
        entry.series.name,
        add,
      ),
    );
  return (
    <div class={right ? 'timeseries legend-right' : 'timeseries'}>
      <Chart
        model={model}
        width={right ? width - LEGEND_RIGHT_PX : width}
        height={Math.max(CHART_MIN_PX, height - legendHeight)}
        theme={theme}
        from={props.window.from / 1000}
        to={props.window.to / 1000}
        syncKey={props.syncKey}
        tooltip={{ mode: tooltip.mode ?? 'multi', sort: tooltip.sort ?? 'none' }}
        thresholds={
          style !== 'off' && panel.defaults.thresholds
            ? { config: panel.defaults.thresholds, style }
            : undefined
        }
        exemplars={exemplars}
        onExemplar={openExemplar}
        onZoom={props.onZoom}
      />
      {shown && (
        <div
          class="legend"
          style={
            right
              ? { width: `${LEGEND_RIGHT_PX}px` }
              : props.longLegend
                ? {}
                : { height: `${legendHeight}px` }
          }
        >
          <Legend
            entries={entries}
            calcs={legend.calcs ?? []}
            mode={legend.displayMode ?? 'list'}
            theme={theme}
            isVisible={(e) => !hidden.has(e.series.name)}
            onPick={pick}
          />
        </div>
      )}
    </div>
  );
}

const openExemplar = ({ traceId, spanId }: Exemplar) =>
  navigate({ view: 'traces', trace: traceId, span: spanId || undefined });

function limited(frame: Frame): Frame {
  return frame.series.length > SERIES_MAX
    ? { ...frame, series: frame.series.slice(0, SERIES_MAX) }
    : frame;
}

function colorsOf(frame: Frame): string[] {
  return frame.series.map((s, i) => fieldColor(s.config, i, reduce(s.values, 'lastNotNull')));
}

/* About as wide as a letter of the legend. */
const GLYPH_PX = 7;
const ITEM_PX = 34;
const CALC_PX = 90;

function listLines(entries: LegendEntry[], legend: LegendOptions, width: number): number {
  let lines = 1;
  let used = 0;
  for (const { series } of entries) {
    const item = series.name.length * GLYPH_PX + ITEM_PX + CALC_PX * (legend.calcs?.length ?? 0);
    if (used > 0 && used + item > width - 20) {
      lines++;
      used = 0;
    }
    used += item;
  }
  return lines;
}

function legendHeightOf(
  entries: LegendEntry[],
  legend: LegendOptions,
  width: number,
  height: number,
): number {
  const table = legend.displayMode === 'table' && (legend.calcs?.length ?? 0) > 0;
  const rows = table ? entries.length + 1 : listLines(entries, legend, width);
  const wanted = rows * LEGEND_ROW_PX + 4;
  return Math.min(wanted, Math.max(LEGEND_ROW_PX * 2, Math.floor(height * LEGEND_SHARE_MAX)));
}
