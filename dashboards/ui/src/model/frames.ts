/* Answers of the API as what panels draw: series on one common time axis, or tables. */
import type { QueryData, Sample } from '../api/types';
import type { FieldConfig, Panel, Target } from './dashboard';
import type { Exemplar } from './exemplars';
import { resolveField } from './field';
import { interpolate, type Scope } from './interpolate';
import { nameSeries, type Labels } from './legend';

export interface Series {
  name: string;
  labels: Labels;
  refId: string;
  /* One value per time of the frame; null where there is no sample. */
  values: (number | null)[];
  config: FieldConfig;
}

export interface Frame {
  /* Seconds since 1970, ascending. */
  times: number[];
  series: Series[];
}

/* One target's answer with what is needed to name it. `from`, `to` and `stepMs` span the axis. */
export interface TargetResult {
  target: Target;
  expr: string;
  data: QueryData;
  from: number;
  to: number;
  stepMs: number;
  exemplars?: Exemplar[];
}

/* Series are cut off here; the panel says so. Drawing more helps nobody. */
export const SERIES_MAX = 400;

export function parseNumber(text: string): number {
  switch (text) {
    case '+Inf':
    case 'Inf':
      return Infinity;
    case '-Inf':
      return -Infinity;
    default:
      return Number(text);
  }
}

interface RawSeries {
  labels: Labels;
  samples: Sample[];
}

export function rawSeries(data: QueryData): RawSeries[] {
  switch (data.resultType) {
    case 'matrix':
      return data.result.map((s) => ({ labels: s.metric, samples: s.values ?? [] }));
    case 'vector':
      return data.result
        .filter((s) => s.value)
        .map((s) => ({ labels: s.metric, samples: [s.value] }));
    case 'scalar':
      return [{ labels: {}, samples: [data.result] }];
    default:
      return [];
  }
}

/* All targets of a panel on one axis. Targets usually share their step; when they do not, the axis
 * holds the times of all. */
export function buildFrame(results: TargetResult[], panel: Panel, scope: Scope): Frame {
  const times = axis(results);
  const index = new Map(times.map((t, i) => [Math.round(t * 1000), i]));
  const series: Series[] = [];
  for (const result of results) {
    const raw = rawSeries(result.data);
    const template =
      result.target.legendFormat && interpolate(result.target.legendFormat, scope, 'text');
    const names = nameSeries(
      raw.map((r) => r.labels),
      template,
      result.expr,
    );
    raw.forEach(({ labels, samples }, i) => {
      const values = new Array<number | null>(times.length).fill(null);
      for (const [t, v] of samples) {
        const at = index.get(Math.round(t * 1000));
        if (at !== undefined) {
          const value = parseNumber(v);
          values[at] = Number.isNaN(value) ? null : value;
        }
      }
      const facts = { name: names[i]!, refId: result.target.refId, type: 'number' as const };
      const config = resolveField(panel.defaults, panel.overrides, facts);
      const name = config.displayName
        ? displayName(config.displayName, labels, names[i]!)
        : names[i]!;
      series.push({ name, labels, refId: result.target.refId, values, config });
    });
  }
  return { times, series };
}

function displayName(template: string, labels: Labels, name: string): string {
  return template
    .replaceAll('${__field.name}', name)
    .replace(/\$\{__field\.labels\.([\w]+)\}/g, (_, label: string) => labels[label] ?? '')
    .replaceAll('${__series.name}', name);
}

function axis(results: TargetResult[]): number[] {
  const all = new Set<number>();
  for (const { data, from, to, stepMs } of results) {
    if (data.resultType === 'matrix') {
      for (let t = from; t <= to; t += stepMs) {
        all.add(Math.round(t));
      }
    } else {
      for (const { samples } of rawSeries(data)) {
        for (const [t] of samples) {
          all.add(Math.round(t * 1000));
        }
      }
    }
  }
  return [...all].sort((a, b) => a - b).map((ms) => ms / 1000);
}

/* Sums for stacking: each series on top of the ones before it, by group, positive and negative
 * apart. */
export function stack(series: Series[]): { lower: (number | null)[]; upper: (number | null)[] }[] {
  const sums = new Map<string, number[]>();
  return series.map((s) => {
    const mode = s.config.custom?.stacking?.mode;
    const sign = s.config.custom?.transform === 'negative-Y' ? -1 : 1;
    if (!mode || mode === 'none') {
      const values = sign === 1 ? s.values : s.values.map((v) => (v === null ? null : -v));
      return { lower: [], upper: values };
    }
    const key = `${s.config.custom?.stacking?.group ?? 'A'}${sign}`;
    const sum = sums.get(key) ?? new Array<number>(s.values.length).fill(0);
    sums.set(key, sum);
    const lower: (number | null)[] = [];
    const upper: (number | null)[] = [];
    s.values.forEach((v, i) => {
      lower.push(v === null ? null : sum[i]!);
      sum[i]! += sign * (v ?? 0);
      upper.push(v === null ? null : sum[i]!);
    });
    return { lower, upper };
  });
}

/* Shares of the sum at each time, for stacking in percent. */
export function percentages(series: Series[]): Series[] {
  const total: number[] = [];
  for (const s of series) {
    s.values.forEach((v, i) => (total[i] = (total[i] ?? 0) + Math.abs(v ?? 0)));
  }
  return series.map((s) => ({
    ...s,
    values: s.values.map((v, i) => (v === null || !total[i] ? null : v / total[i]!)),
  }));
}
