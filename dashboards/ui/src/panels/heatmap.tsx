/* Buckets of a histogram over time, one row per bucket, darker where more fell into it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { chartColors, xAxis } from '../chart/options';
import { paint, withAlpha } from '../model/color';
import { buildFrame } from '../model/frames';
import { buildHeatmap, heatOf, type Heatmap } from '../model/heatmap';
import { formatDateTime } from '../model/time';
import { formatText } from '../model/units';
import { Empty } from './empty';
import type { PanelProps } from './types';

interface Hover {
  index: number;
  row: number;
}

export function HeatmapPanel(props: PanelProps) {
  const { panel, data } = props;
  const heatmap = useMemo(() => {
    const cumulative = panel.targets.some((t) => t.format === 'heatmap');
    return buildHeatmap(buildFrame(data.results, panel, data.scope), cumulative);
  }, [data, panel]);
  const [hover, setHover] = useState<Hover | undefined>();
  if (heatmap.rows.length === 0) {
    return <Empty {...props} />;
  }
  const yUnit =
    ((panel.options.yAxis as { unit?: string } | undefined)?.unit ?? panel.defaults.unit) ||
    'short';
  return (
    <div class="heatmap">
      <Cells {...props} heatmap={heatmap} yUnit={yUnit} onHover={setHover} />
      <div class="heatmap-legend">{hover && describe(heatmap, hover, yUnit)}</div>
    </div>
  );
}

const LEGEND_PX = 20;
const MIN_HEIGHT_PX = 80;

function boundText(heatmap: Heatmap, row: number, unit: string): string {
  const bound = heatmap.rows[row]?.bound;
  return bound === null || bound === undefined
    ? (heatmap.rows[row]?.label ?? '')
    : bound === Infinity
      ? '+Inf'
      : formatText(bound, unit);
}

function describe(heatmap: Heatmap, { index, row }: Hover, unit: string): string {
  const value = heatmap.rows[row]?.values[index];
  const lower = row > 0 ? boundText(heatmap, row - 1, unit) : '0';
  const time = formatDateTime(heatmap.times[index]! * 1000);
  return `${time}   ${lower} to ${boundText(heatmap, row, unit)}: ${formatText(value ?? null, 'short')}`;
}

interface CellsProps extends PanelProps {
  heatmap: Heatmap;
  yUnit: string;
  onHover: (hover: Hover | undefined) => void;
}

function Cells(props: CellsProps) {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const { heatmap, width, height, theme } = props;
  useEffect(() => {
    const node = host.current!;
    const colors = chartColors(node);
    const rows = heatmap.rows.length;
    const u = new uPlot(
      {
        width,
        height: Math.max(MIN_HEIGHT_PX, height - LEGEND_PX),
        padding: [8, 10, 0, 0],
        legend: { show: false },
        cursor: {
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
          ...(props.syncKey
            ? {
                sync: {
                  key: props.syncKey,
                  setSeries: false,
                  scales: ['x', null] as [string, null],
                },
              }
            : {}),
        },
        scales: {
          x: {
            time: true,
            range: () => [latest.current.window.from / 1000, latest.current.window.to / 1000],
          },
          y: { range: () => [0, rows] },
        },
        axes: [
          xAxis(colors),
          {
            stroke: colors.text,
            font: colors.font,
            grid: { show: false },
            ticks: { show: false },
            gap: 6,
            size: 64,
            // A tick stands at the upper end of its row.
            splits: () => ticks(rows, height),
            values: (_, at) => at.map((row) => boundText(heatmap, row - 1, props.yUnit)),
          },
        ],
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          draw: [(chart) => drawCells(chart, heatmap, paint('blue', theme))],
          setCursor: [(chart) => props.onHover(cellAt(chart, heatmap))],
          setSelect: [
            (chart) => {
              if (chart.select.width > 6) {
                const from = chart.posToVal(chart.select.left, 'x') * 1000;
                latest.current.onZoom?.(
                  Math.round(from),
                  Math.round(chart.posToVal(chart.select.left + chart.select.width, 'x') * 1000),
                );
              }
              chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      [heatmap.times, heatmap.rows[0]!.values] as uPlot.AlignedData,
      node,
    );
    return () => u.destroy();
  }, [heatmap, width, height, theme]);
  return (
    <div
      class="chart"
      ref={host}
      role="img"
      aria-label={`Heatmap of ${heatmap.rows.length} buckets`}
    />
  );
}

const TICK_PX = 22;

function ticks(rows: number, height: number): number[] {
  const every = Math.max(1, Math.ceil((rows * TICK_PX) / Math.max(1, height)));
  return Array.from({ length: Math.floor(rows / every) }, (_, i) => (i + 1) * every);
}

function drawCells(u: uPlot, { times, rows, max }: Heatmap, color: string): void {
  const { ctx, bbox } = u;
  const gap = times.length > 1 ? times[1]! - times[0]! : 1;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  rows.forEach((row, r) => {
    const top = Math.round(u.valToPos(r + 1, 'y', true));
    const bottom = Math.round(u.valToPos(r, 'y', true));
    row.values.forEach((value, i) => {
      const heat = heatOf(value ?? 0, max);
      if (heat > 0) {
        // A sample stands for the step before it.
        const left = Math.round(u.valToPos(times[i]! - gap, 'x', true));
        const right = Math.round(u.valToPos(times[i]!, 'x', true));
        ctx.fillStyle = withAlpha(color, heat);
        ctx.fillRect(left, top + 1, Math.max(1, right - left), Math.max(1, bottom - top - 1));
      }
    });
  });
  ctx.restore();
}

function cellAt(u: uPlot, heatmap: Heatmap): Hover | undefined {
  const { left, top } = u.cursor;
  if (left === undefined || top === undefined || left < 0) {
    return undefined;
  }
  const row = Math.floor(u.posToVal(top, 'y'));
  const time = u.posToVal(left, 'x');
  const index = heatmap.times.findIndex((t) => t >= time);
  return index < 0 || row < 0 || row >= heatmap.rows.length ? undefined : { index, row };
}
