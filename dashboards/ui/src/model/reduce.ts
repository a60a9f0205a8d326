/* One number out of many: the calculations of legends, stats and gauges. */

export type Values = ArrayLike<number | null | undefined>;

const isNumber = (v: number | null | undefined): v is number =>
  v !== null && v !== undefined && !Number.isNaN(v);

const fold = (
  values: Values,
  start: number,
  step: (acc: number, v: number) => number,
): number | null => {
  let acc = start;
  let seen = false;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (isNumber(v)) {
      acc = seen ? step(acc, v) : start === 0 ? step(0, v) : v;
      seen = true;
    }
  }
  return seen ? acc : null;
};

const sum = (values: Values) => fold(values, 0, (a, v) => a + v);
const min = (values: Values) => fold(values, Infinity, Math.min);
const max = (values: Values) => fold(values, -Infinity, Math.max);
const count = (values: Values) => fold(values, 0, (a) => a + 1) ?? 0;

function first(values: Values): number | null {
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (isNumber(v)) {
      return v;
    }
  }
  return null;
}

function lastNotNull(values: Values): number | null {
  for (let i = values.length - 1; i >= 0; i--) {
    const v = values[i];
    if (isNumber(v)) {
      return v;
    }
  }
  return null;
}

function mean(values: Values): number | null {
  const total = sum(values);
  return total === null ? null : total / count(values);
}

function difference(values: Values): number | null {
  const a = first(values);
  const b = lastNotNull(values);
  return a === null || b === null ? null : b - a;
}

function quantile(values: Values, q: number): number | null {
  const sorted = Array.from(values)
    .filter(isNumber)
    .sort((a, b) => a - b);
  if (sorted.length === 0) {
    return null;
  }
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}

function spread(values: Values): number | null {
  const low = min(values);
  const high = max(values);
  return low === null || high === null ? null : high - low;
}

function variance(values: Values): number | null {
  const middle = mean(values);
  return middle === null ? null : fold(values, 0, (a, v) => a + (v - middle) ** 2)! / count(values);
}

interface Calc {
  label: string;
  of: (values: Values) => number | null;
}

const CALCS: Record<string, Calc> = {
  lastNotNull: { label: 'Last', of: lastNotNull },
  last: { label: 'Last', of: (v) => (v.length > 0 ? (v[v.length - 1] ?? null) : null) },
  firstNotNull: { label: 'First', of: first },
  first: { label: 'First', of: (v) => (v.length > 0 ? (v[0] ?? null) : null) },
  min: { label: 'Min', of: min },
  max: { label: 'Max', of: max },
  mean: { label: 'Mean', of: mean },
  avg: { label: 'Mean', of: mean },
  median: { label: 'Median', of: (v) => quantile(v, 0.5) },
  sum: { label: 'Total', of: sum },
  total: { label: 'Total', of: sum },
  count: { label: 'Count', of: count },
  range: { label: 'Range', of: spread },
  diff: { label: 'Difference', of: difference },
  delta: { label: 'Delta', of: difference },
  variance: { label: 'Variance', of: variance },
  stdDev: { label: 'Std dev', of: (v) => (variance(v) === null ? null : Math.sqrt(variance(v)!)) },
};

/* Calculations whose answer has no unit of its own. */
const UNITLESS = new Set(['count']);

export function reduce(values: Values, calc: string): number | null {
  const percentile = /^p(\d{1,2})$/.exec(calc);
  if (percentile) {
    return quantile(values, Number(percentile[1]) / 100);
  }
  return (CALCS[calc] ?? CALCS.lastNotNull!).of(values);
}

export function calcLabel(calc: string): string {
  return CALCS[calc]?.label ?? calc;
}

export function calcUnit(calc: string, unit: string | undefined): string | undefined {
  return UNITLESS.has(calc) ? 'none' : unit;
}
