/* Points in time as people write them, and ranges of two of them.
 *
 * A point is `now`, `now-6h`, `now-1d/d` (rounded to a unit: down in `from`, up in `to`), an ISO
 * date, or milliseconds since 1970. Relative points stay text in the URL, so that a shared link of
 * "the last hour" stays that; only zooming by drag makes them absolute.
 */

export interface TimeRange {
  from: string;
  to: string;
}

/* A range pinned to the moment of a refresh, in milliseconds. */
export interface TimeWindow {
  from: number;
  to: number;
}

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

const RELATIVE = /^now(?:\s*([+-])\s*(\d+)\s*(ms|[smhdwMy]))?(?:\s*\/\s*([smhdwMy]))?$/;

export function parseTime(text: string, now: number, roundUp: boolean): number | undefined {
  const trimmed = text.trim();
  const relative = RELATIVE.exec(trimmed);
  if (relative) {
    const [, sign, amount, unit, round] = relative;
    let at = now;
    if (amount && unit) {
      at = shift(now, (sign === '-' ? -1 : 1) * Number(amount), unit);
    }
    return round ? roundTo(at, round, roundUp) : at;
  }
  if (/^-?\d{10,}$/.test(trimmed)) {
    return Number(trimmed);
  }
  if (/^\d{4}-\d{2}-\d{2}/.test(trimmed)) {
    const at = Date.parse(
      trimmed.replace(' ', 'T').replace(/^(\d{4}-\d{2}-\d{2})$/, '$1T00:00:00'),
    );
    return Number.isNaN(at) ? undefined : at;
  }
  return undefined;
}

/* Days and longer move by calendar, so that "a month ago" is the same day and hour. */
function shift(at: number, amount: number, unit: string): number {
  if (unit === 'M' || unit === 'y') {
    const date = new Date(at);
    date.setMonth(date.getMonth() + amount * (unit === 'y' ? 12 : 1));
    return date.getTime();
  }
  return at + amount * (UNIT_MS[unit] ?? 0);
}

function roundTo(at: number, unit: string, up: boolean): number {
  const date = new Date(at);
  date.setMilliseconds(0);
  if (unit === 's') {
    return up ? date.getTime() + 999 : date.getTime();
  }
  date.setSeconds(0);
  if (unit !== 'm') {
    date.setMinutes(0);
  }
  if (unit !== 'm' && unit !== 'h') {
    date.setHours(0);
  }
  if (unit === 'w') {
    date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  } else if (unit === 'M') {
    date.setDate(1);
  } else if (unit === 'y') {
    date.setMonth(0, 1);
  }
  if (!up) {
    return date.getTime();
  }
  const next = new Date(date);
  switch (unit) {
    case 'm':
      next.setMinutes(next.getMinutes() + 1);
      break;
    case 'h':
      next.setHours(next.getHours() + 1);
      break;
    case 'd':
      next.setDate(next.getDate() + 1);
      break;
    case 'w':
      next.setDate(next.getDate() + 7);
      break;
    case 'M':
      next.setMonth(next.getMonth() + 1);
      break;
    default:
      next.setFullYear(next.getFullYear() + 1);
  }
  return next.getTime() - 1;
}

export function pin(range: TimeRange, now: number): TimeWindow | undefined {
  const from = parseTime(range.from, now, false);
  const to = parseTime(range.to, now, true);
  return from === undefined || to === undefined || from >= to ? undefined : { from, to };
}

export function isRelative(range: TimeRange): boolean {
  return range.from.startsWith('now') || range.to.startsWith('now');
}

/* "15s", "1m", "1h30m", "500ms" in milliseconds; a bare number is seconds. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().replace(/^>/, '');
  if (/^\d+(\.\d+)?$/.test(trimmed)) {
    return Number(trimmed) * 1000;
  }
  if (!/^(\d+(ms|[smhdwMy]))+$/.test(trimmed)) {
    return undefined;
  }
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+)(ms|[smhdwMy])/g)) {
    total += Number(amount) * (UNIT_MS[unit!] ?? 0);
  }
  return total;
}

/* The shortest way to write a duration exactly in PromQL: 90000 → "1m30s". */
export function formatDuration(ms: number): string {
  if (ms <= 0) {
    return '0s';
  }
  let rest = Math.round(ms);
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = UNIT_MS[unit]!;
    const count = Math.floor(rest / size);
    if (count > 0) {
      text += `${count}${unit}`;
      rest -= count * size;
    }
  }
  return text;
}

export const QUICK_RANGES: { label: string; range: TimeRange }[] = [
  ['5 minutes', '5m'],
  ['15 minutes', '15m'],
  ['30 minutes', '30m'],
  ['1 hour', '1h'],
  ['3 hours', '3h'],
  ['6 hours', '6h'],
  ['12 hours', '12h'],
  ['24 hours', '24h'],
  ['2 days', '2d'],
  ['7 days', '7d'],
  ['30 days', '30d'],
  ['90 days', '90d'],
].map(([label, ago]) => ({ label: `Last ${label}`, range: { from: `now-${ago}`, to: 'now' } }));

export const CALENDAR_RANGES: { label: string; range: TimeRange }[] = [
  { label: 'Today', range: { from: 'now/d', to: 'now/d' } },
  { label: 'Today so far', range: { from: 'now/d', to: 'now' } },
  { label: 'Yesterday', range: { from: 'now-1d/d', to: 'now-1d/d' } },
  { label: 'This week so far', range: { from: 'now/w', to: 'now' } },
];

const two = (n: number) => String(n).padStart(2, '0');

/* 2026-08-21 14:03:05, without seconds when they are zero. */
export function formatDateTime(ms: number, seconds = true): string {
  const d = new Date(ms);
  const date = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  const time = `${two(d.getHours())}:${two(d.getMinutes())}`;
  return `${date} ${time}${seconds ? ':' + two(d.getSeconds()) : ''}`;
}

export function describeRange(range: TimeRange): string {
  for (const quick of [...QUICK_RANGES, ...CALENDAR_RANGES]) {
    if (quick.range.from === range.from && quick.range.to === range.to) {
      return quick.label;
    }
  }
  if (range.to === 'now' && /^now-\w+$/.test(range.from)) {
    return `Last ${range.from.slice(4)}`;
  }
  return `${describePoint(range.from)} to ${describePoint(range.to)}`;
}

function describePoint(text: string): string {
  if (text.startsWith('now')) {
    return text;
  }
  const at = parseTime(text, 0, false);
  return at === undefined ? text : formatDateTime(at, at % 60_000 !== 0);
}

/* Labels of a time axis: date where a day begins, seconds only when ticks are closer than a
 * minute. */
export function axisLabels(seconds: number[], increment: number): string[] {
  let lastDay = -1;
  return seconds.map((at) => {
    const d = new Date(at * 1000);
    const day = d.getDate();
    const midnight = d.getHours() === 0 && d.getMinutes() === 0 && d.getSeconds() === 0;
    const newDay = (lastDay !== -1 && day !== lastDay) || midnight || increment >= 86_400;
    lastDay = day;
    if (newDay) {
      return `${two(d.getMonth() + 1)}-${two(day)}`;
    }
    const text = `${two(d.getHours())}:${two(d.getMinutes())}`;
    return increment < 60 ? `${text}:${two(d.getSeconds())}` : text;
  });
}
