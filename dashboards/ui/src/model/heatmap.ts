/* Buckets of a histogram over time as cells: the classic form, one cumulative series per bound
 * `le`, or series that already are one row each. */
import { parseNumber, type Frame } from './frames';

export interface HeatRow {
  /* Text of the row's upper end, and its number where it has one. */
  label: string;
  bound: number | null;
  /* Observations in this bucket alone, one per time of the frame; null without a sample. */
  values: (number | null)[];
}

export interface Heatmap {
  times: number[];
  /* Smallest bound first. */
  rows: HeatRow[];
  max: number;
}

function boundOf(name: string, le: string | undefined): number | null {
  const value = parseNumber(le ?? name);
  return Number.isNaN(value) ? null : value;
}

/* `cumulative`: each row counts those below it too, as Prometheus' buckets do. */
export function buildHeatmap(frame: Frame, cumulative: boolean): Heatmap {
  const rows = frame.series
    .map((s) => ({ label: s.name, bound: boundOf(s.name, s.labels.le), values: s.values }))
    .sort((a, b) => (a.bound ?? 0) - (b.bound ?? 0));
  const own = cumulative
    ? rows.map((row, i) =>
        i === 0 ? row : { ...row, values: difference(row.values, rows[i - 1]!.values) },
      )
    : rows;
  let max = 0;
  for (const row of own) {
    for (const value of row.values) {
      max = Math.max(max, value ?? 0);
    }
  }
  return { times: frame.times, rows: own, max };
}

/* Scrapes are not atomic across rows of a rate: small negative differences are zero. */
function difference(upper: (number | null)[], lower: (number | null)[]): (number | null)[] {
  return upper.map((v, i) => (v === null ? null : Math.max(0, v - (lower[i] ?? 0))));
}

/* Opacity of a cell: the root lifts the few slow observations, which are the ones looked for. */
export function heatOf(value: number, max: number): number {
  return max > 0 && value > 0 ? 0.12 + 0.88 * Math.sqrt(value / max) : 0;
}
