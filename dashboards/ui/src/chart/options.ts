/* uPlot's options for one time series panel. */
import uPlot from 'uplot';
import { paint, withAlpha, type Theme } from '../model/color';
import type { FieldConfig } from '../model/dashboard';
import { percentages, stack, type Frame, type Series } from '../model/frames';
import { isHidden } from '../model/field';
import { axisLabels } from '../model/time';
import { formatTicks, isBinary } from '../model/units';
import { yRange } from './scale';

export interface ChartModel {
  /* Data in uPlot's shape: times, then one array per shown series. */
  data: uPlot.AlignedData;
  /* Series in the order of `data`, without the times. */
  shown: { series: Series; index: number; color: string }[];
  bands: uPlot.Band[];
}

/* Values as drawn (stacked, mirrored) for the series that are visible. */
export function chartModel(
  frame: Frame,
  visible: (s: Series, index: number) => boolean,
  colors: string[],
): ChartModel {
  const entries = frame.series
    .map((series, index) => ({ series, index, color: colors[index]! }))
    .filter(
      ({ series, index }) => visible(series, index) && !isHidden(series.config.custom, 'viz'),
    );
  const percent = entries.some((e) => e.series.config.custom?.stacking?.mode === 'percent');
  const list = entries.map((e) => e.series);
  const layers = stack(percent ? percentages(list) : list);
  return {
    data: [frame.times, ...layers.map((l) => l.upper)] as uPlot.AlignedData,
    shown: entries,
    bands: bands(list, percent),
  };
}

/* Area between a stacked series and the one below it of the same group and sign. */
function bands(list: Series[], percent: boolean): uPlot.Band[] {
  const below = new Map<string, number>();
  const result: uPlot.Band[] = [];
  list.forEach((s, i) => {
    const mode = percent ? 'percent' : s.config.custom?.stacking?.mode;
    if (!mode || mode === 'none') {
      return;
    }
    const negative = s.config.custom?.transform === 'negative-Y';
    const key = `${s.config.custom?.stacking?.group ?? 'A'}${negative}`;
    const previous = below.get(key);
    if (previous !== undefined) {
      result.push({ series: [i + 1, previous + 1], dir: negative ? 1 : -1 });
    }
    below.set(key, i);
  });
  return result;
}

/* What a canvas needs to know of the style sheet. */
export interface ChartColors {
  text: string;
  grid: string;
  font: string;
}

export function chartColors(node: HTMLElement): ChartColors {
  const style = getComputedStyle(node);
  return {
    text: style.getPropertyValue('--text-muted').trim(),
    grid: style.getPropertyValue('--chart-grid').trim(),
    font: `11px ${style.getPropertyValue('--font').trim()}`,
  };
}

export interface OptionsInput {
  width: number;
  height: number;
  model: ChartModel;
  theme: Theme;
  syncKey?: string;
  /* Whole window in seconds: the axis shows it even where there are no samples. */
  from: number;
  to: number;
  css: ChartColors;
  compact?: boolean;
}

const DIMMED_MAX = 80;

export const scaleKey = (config: FieldConfig) => `y:${config.unit ?? 'short'}`;

export function chartOptions(input: OptionsInput): uPlot.Options {
  const { model, css } = input;
  const scales: uPlot.Scales = { x: { time: true, range: () => [input.from, input.to] } };
  const axes: uPlot.Axis[] = [xAxis(css)];
  const byScale = new Map<string, FieldConfig[]>();
  for (const { series } of model.shown) {
    const key = scaleKey(series.config);
    byScale.set(key, [...(byScale.get(key) ?? []), series.config]);
  }
  let axisCount = 0;
  for (const [key, configs] of byScale) {
    scales[key] = yScale(configs);
    if (configs[0]!.custom?.axisPlacement !== 'hidden') {
      axes.push(yAxis(key, configs, axisCount++ > 0, css));
    }
  }
  return {
    width: input.width,
    height: input.height,
    padding: [8, axisCount > 1 ? 0 : 10, 0, axisCount === 0 ? 10 : 0],
    scales,
    axes,
    bands: model.bands,
    legend: { show: false },
    // Dimming the others redraws all of them: too slow for very many.
    focus: { alpha: model.shown.length > DIMMED_MAX ? 1 : 0.35 },
    cursor: {
      points: { size: 7, width: 1.5 },
      focus: { prox: 24 },
      drag: { x: true, y: false, setScale: false },
      ...(input.syncKey
        ? {
            sync: {
              key: input.syncKey,
              setSeries: false,
              scales: ['x', null] as [string, null],
              filters: SYNC_FILTERS,
            },
          }
        : {}),
    },
    series: [
      {},
      ...model.shown.map(({ series, color }) => seriesOptions(series, paint(color, input.theme))),
    ],
  };
}

/* Other charts follow the cursor, but a selection belongs to the chart it is drawn on. */
const quiet = (type: string) => type !== 'mouseup' && type !== 'mousedown' && type !== 'dblclick';
const SYNC_FILTERS = { pub: quiet, sub: quiet };

function seriesOptions(series: Series, color: string): uPlot.Series {
  const custom = series.config.custom ?? {};
  const width = custom.drawStyle === 'points' ? 0 : (custom.lineWidth ?? 1);
  const opacity = (custom.fillOpacity ?? 0) / 100;
  const samples = series.values.reduce<number>((n, v) => n + (v === null ? 0 : 1), 0);
  const lonely = samples > 0 && samples <= 1;
  return {
    label: series.name,
    scale: scaleKey(series.config),
    stroke: color,
    width: Math.max(width, custom.drawStyle === 'points' ? 0 : 1) * 1.25,
    fill: opacity > 0 ? withAlpha(color, opacity) : undefined,
    fillTo: 0,
    dash:
      custom.lineStyle?.fill === 'dash'
        ? (custom.lineStyle.dash ?? [8, 6])
        : custom.lineStyle?.fill === 'dot'
          ? [1, 4]
          : undefined,
    paths: pathsOf(custom.drawStyle, custom.lineInterpolation),
    points: {
      show: custom.drawStyle === 'points' || custom.showPoints === 'always' || lonely,
      size: 5,
    },
    spanGaps: custom.spanNulls === true,
  };
}

function pathsOf(
  drawStyle: string | undefined,
  interpolation: string | undefined,
): uPlot.Series.PathBuilder | undefined {
  const { paths } = uPlot;
  if (drawStyle === 'points') {
    return () => null;
  }
  if (drawStyle === 'bars') {
    return paths.bars!({ size: [0.7, 40], radius: 0.08 });
  }
  switch (interpolation) {
    case 'smooth':
      return paths.spline!();
    case 'stepAfter':
      return paths.stepped!({ align: 1 });
    case 'stepBefore':
      return paths.stepped!({ align: -1 });
    default:
      return paths.linear!();
  }
}

function lowest(values: (number | undefined)[]): number | undefined {
  const known = values.filter((v): v is number => v !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

function highest(values: (number | undefined)[]): number | undefined {
  const known = values.filter((v): v is number => v !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

function yScale(configs: FieldConfig[]): uPlot.Scale {
  const log = configs.find((c) => c.custom?.scaleDistribution?.type === 'log')?.custom
    ?.scaleDistribution?.log;
  if (log) {
    return { distr: 3, log: log === 2 ? 2 : 10 };
  }
  const mirrored = configs.some((c) => c.custom?.transform === 'negative-Y');
  const min = mirrored ? undefined : lowest(configs.map((c) => c.min));
  const max = highest(configs.map((c) => c.max));
  const softMin = lowest(configs.map((c) => c.custom?.axisSoftMin));
  const softMax = highest(configs.map((c) => c.custom?.axisSoftMax));
  return {
    range: (_, dataMin, dataMax) => yRange(dataMin, dataMax, { min, max, softMin, softMax }),
  };
}

/* A canvas of its own: uPlot remembers the state of its context. */
let measure: CanvasRenderingContext2D | null = null;

function textWidth(text: string, font: string): number {
  measure ??= document.createElement('canvas').getContext('2d');
  if (!measure) {
    return text.length * 7;
  }
  measure.font = font;
  return measure.measureText(text).width;
}

/* On a logarithmic axis the ticks that get no label are null. */
function tickTexts(
  ticks: (number | null)[],
  mirrored: boolean,
  unit: string | undefined,
): string[] {
  const known = ticks.filter((t): t is number => t !== null);
  const texts = formatTicks(mirrored ? known.map(Math.abs) : known, unit);
  let next = 0;
  return ticks.map((t) => (t === null ? '' : texts[next++]!));
}

/* Seconds are read in minutes and hours from 60 on. */
const TIME_INCREMENTS = [
  ...[-9, -8, -7, -6, -5, -4, -3, -2, -1].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power)),
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  3600,
  7200,
  10_800,
  21_600,
  43_200,
  86_400,
  172_800,
  604_800,
  2_592_000,
  31_536_000,
];

const BINARY_INCREMENTS = Array.from({ length: 60 }, (_, i) => 2 ** i);

/* Mirrored series are drawn below zero but are not negative, and the labels say so. */
function yAxis(
  scale: string,
  configs: FieldConfig[],
  right: boolean,
  css: ChartColors,
): uPlot.Axis {
  const config = configs[0]!;
  const mirrored = configs.some((c) => c.custom?.transform === 'negative-Y');
  return {
    scale,
    side: right || config.custom?.axisPlacement === 'right' ? 1 : 3,
    stroke: css.text,
    font: css.font,
    grid: { show: !right, stroke: css.grid, width: 1 },
    ticks: { show: false },
    gap: 6,
    space: 34,
    size: (_, values) =>
      Math.ceil(Math.max(0, ...(values ?? []).map((v) => textWidth(v, css.font)))) + 16,
    ...(isBinary(config.unit)
      ? { incrs: BINARY_INCREMENTS }
      : config.unit === 's'
        ? { incrs: TIME_INCREMENTS }
        : {}),
    values: (_, ticks) => tickTexts(ticks, mirrored, config.unit),
    label: config.custom?.axisLabel || undefined,
    labelSize: 18,
    labelFont: css.font,
  };
}

export function xAxis(css: ChartColors): uPlot.Axis {
  return {
    stroke: css.text,
    font: css.font,
    grid: { stroke: css.grid, width: 1 },
    ticks: { show: false },
    gap: 5,
    size: 23,
    space: 76,
    values: (_, ticks, __, ___, increment) => axisLabels(ticks, increment),
  };
}
