/* Numbers with Grafana's unit ids, as people read them: `bytes` 1536 → "1.5 KiB".
 *
 * A unit is a row of a table: a base, the suffixes of its steps, and where to start. What is not in
 * the table is shown as number plus the id itself, as Grafana does for custom units.
 */

export interface Formatted {
  text: string;
  suffix: string;
}

interface Scale {
  base: number;
  steps: string[];
  /* Steps below the first, from small to large, e.g. n µ m. */
  small?: string[];
  factor?: number;
}

const SI = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
const IEC = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

const si = (unit: string, factor = 1): Scale => ({
  base: 1000,
  steps: SI.map((p) => ` ${p === 'K' ? 'k' : p}${unit}`),
  factor,
});
const iec = (unit: string, factor = 1): Scale => ({
  base: 1024,
  steps: IEC.map((p) => ` ${p}${unit}`),
  factor,
});
const count = (unit: string): Scale => ({
  base: 1000,
  steps: SI.map((p) => `${p ? ' ' + p : ''}${unit ? ' ' + unit : ''}`),
});

const SCALES: Record<string, Scale> = {
  short: { base: 1000, steps: ['', ' K', ' Mil', ' Bil', ' Tri'] },
  bytes: iec('B'),
  kbytes: iec('B', 1024),
  mbytes: iec('B', 1024 ** 2),
  gbytes: iec('B', 1024 ** 3),
  bits: iec('b'),
  decbytes: si('B'),
  deckbytes: si('B', 1e3),
  decmbytes: si('B', 1e6),
  decbits: si('b'),
  binBps: iec('B/s'),
  binbps: iec('b/s'),
  Bps: si('B/s'),
  KBs: si('B/s', 1e3),
  MBs: si('B/s', 1e6),
  bps: si('b/s'),
  Kbits: si('b/s', 1e3),
  Mbits: si('b/s', 1e6),
  pps: si('p/s'),
  hertz: si('Hz'),
  watt: { base: 1000, steps: si('W').steps, small: [' mW'] },
  joule: si('J'),
  volt: { base: 1000, steps: si('V').steps, small: [' mV'] },
  amp: { base: 1000, steps: si('A').steps, small: [' mA'] },
  ops: count('ops/s'),
  reqps: count('req/s'),
  rps: count('rd/s'),
  wps: count('wr/s'),
  iops: count('io/s'),
  cps: count('c/s'),
  eps: count('evt/s'),
  qps: count('q/s'),
  mps: count('msg/s'),
  rds: count('rd/s'),
  'items/sec': count('items/s'),
  opm: count('ops/min'),
  reqpm: count('req/min'),
  cpm: count('c/min'),
  'read/s': count('rd/s'),
  'write/s': count('wr/s'),
  'io/s': count('io/s'),
};

/* Units without steps: suffix only. */
const PLAIN: Record<string, string> = {
  none: '',
  sishort: '',
  celsius: ' °C',
  fahrenheit: ' °F',
  rotrpm: ' rpm',
  degree: '°',
  humidity: ' %H',
  ppm: ' ppm',
  dB: ' dB',
};

const SECONDS: [size: number, suffix: string][] = [
  [31_536_000, ' years'],
  [604_800, ' weeks'],
  [86_400, ' days'],
  [3_600, ' hours'],
  [60, ' min'],
  [1, ' s'],
  [1e-3, ' ms'],
  [1e-6, ' µs'],
  [1e-9, ' ns'],
];

const TIME_FACTOR: Record<string, number> = {
  ns: 1e-9,
  µs: 1e-6,
  us: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
};

export function formatValue(
  value: number | null | undefined,
  unit = 'short',
  decimals?: number,
): Formatted {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return { text: value === null || value === undefined ? '-' : 'NaN', suffix: '' };
  }
  if (!Number.isFinite(value)) {
    return { text: value > 0 ? '+Inf' : '-Inf', suffix: '' };
  }
  if (unit === 'percent') {
    return { text: fixed(value, decimals), suffix: '%' };
  }
  if (unit === 'percentunit') {
    return { text: fixed(value * 100, decimals), suffix: '%' };
  }
  const time = TIME_FACTOR[unit];
  if (time !== undefined) {
    return formatSeconds(value * time, decimals);
  }
  const scale = SCALES[unit];
  if (scale) {
    return formatScaled(value, scale, decimals);
  }
  const plain = PLAIN[unit];
  if (plain !== undefined) {
    return { text: fixed(value, decimals), suffix: plain };
  }
  return formatSpecial(value, unit, decimals);
}

function formatSpecial(value: number, unit: string, decimals?: number): Formatted {
  const words: Record<string, [string, string]> = {
    bool_yes_no: ['Yes', 'No'],
    bool: ['True', 'False'],
    bool_on_off: ['On', 'Off'],
  };
  const pair = words[unit];
  if (pair) {
    return { text: value === 0 ? pair[1] : pair[0], suffix: '' };
  }
  if (unit === 'dtdurations' || unit === 'dtdurationms' || unit === 'clocks') {
    return { text: longDuration(unit === 'dtdurationms' ? value / 1000 : value), suffix: '' };
  }
  if (unit === 'dateTimeAsIso' || unit === 'dateTimeAsLocal') {
    return { text: new Date(value).toISOString().replace('T', ' ').slice(0, 19), suffix: '' };
  }
  const custom = /^(suffix|prefix|si|count):(.*)$/.exec(unit);
  if (custom) {
    const [, kind, name] = custom;
    if (kind === 'prefix') {
      return { text: `${name} ${fixed(value, decimals)}`, suffix: '' };
    }
    return kind === 'suffix'
      ? { text: fixed(value, decimals), suffix: ` ${name}` }
      : formatScaled(value, kind === 'si' ? si(name!) : count(name!), decimals);
  }
  return { text: fixed(value, decimals), suffix: unit ? ` ${unit}` : '' };
}

function formatScaled(value: number, scale: Scale, decimals?: number): Formatted {
  let scaled = value * (scale.factor ?? 1);
  let step = 0;
  while (Math.abs(scaled) >= scale.base && step < scale.steps.length - 1) {
    scaled /= scale.base;
    step++;
  }
  if (scale.small && scaled !== 0 && Math.abs(scaled) < 1 && step === 0) {
    return { text: fixed(scaled * scale.base, decimals), suffix: scale.small[0]! };
  }
  return { text: fixed(scaled, decimals), suffix: scale.steps[step]! };
}

function formatSeconds(seconds: number, decimals?: number): Formatted {
  if (seconds === 0) {
    return { text: '0', suffix: ' s' };
  }
  const size = Math.abs(seconds);
  for (const [limit, suffix] of SECONDS) {
    // Just below a limit counts as the limit: 59.9995 s prints as 1 min, not as 60.00 s.
    if (size >= limit * 0.99995 || limit === 1e-9) {
      return { text: fixed(seconds / limit, decimals), suffix };
    }
  }
  return { text: fixed(seconds, decimals), suffix: ' s' };
}

/* 1d 2h 3m 4s, the two largest parts. */
function longDuration(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.abs(seconds);
  for (const [size, suffix] of [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const) {
    const n = Math.floor(rest / size);
    if (n > 0) {
      parts.push(`${n}${suffix}`);
      rest -= n * size;
    }
  }
  return (seconds < 0 ? '-' : '') + (parts.slice(0, 2).join(' ') || '0s');
}

/* With `decimals` exactly so many; else three significant digits or so, without trailing zeros. */
function fixed(value: number, decimals?: number): string {
  if (decimals !== undefined) {
    return negativeZero(value.toFixed(Math.min(12, Math.max(0, decimals))));
  }
  const size = Math.abs(value);
  if (size === 0) {
    return '0';
  }
  if (size < 1e-6 || size >= 1e15) {
    return value.toExponential(2);
  }
  const digits =
    size >= 100
      ? 0
      : size >= 10
        ? 1
        : size >= 1
          ? 2
          : Math.min(8, 2 - Math.floor(Math.log10(size)));
  return negativeZero(trimZeros(value.toFixed(digits)));
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function negativeZero(text: string): string {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text;
}

export function formatText(
  value: number | null | undefined,
  unit?: string,
  decimals?: number,
): string {
  const { text, suffix } = formatValue(value, unit, decimals);
  return text + suffix;
}

/* Ticks of one axis share a scale and a number of digits, so that they can be compared at a
 * glance. */
export function formatTicks(ticks: number[], unit = 'short'): string[] {
  const largest = Math.max(...ticks.map(Math.abs), 0);
  const gap = ticks.length > 1 ? Math.abs(ticks[1]! - ticks[0]!) : largest;
  for (let decimals = 0; decimals <= 6; decimals++) {
    const texts = ticks.map((t) => formatText(t, unit, decimals));
    const distinct = new Set(texts).size === new Set(ticks).size;
    if (distinct && ticks.every((t) => exactEnough(t, unit, decimals, gap))) {
      return texts.map((text, i) => (ticks[i] === 0 ? formatText(0, unit, 0) : text));
    }
  }
  return ticks.map((t) => formatText(t, unit));
}

/* The rounded text must not lie by more than a hundredth of the distance between ticks. */
function exactEnough(tick: number, unit: string, decimals: number, gap: number): boolean {
  const rough = Number(formatValue(tick, unit, decimals).text);
  const fine = Number(formatValue(tick, unit, 8).text);
  if (!Number.isFinite(rough) || !Number.isFinite(fine) || fine === 0) {
    return true;
  }
  const unitsPerText = tick / fine;
  return Math.abs(rough - fine) * Math.abs(unitsPerText) <= gap / 100;
}

/* Whether ticks of this unit fall on powers of two. */
export function isBinary(unit: string | undefined): boolean {
  return unit !== undefined && SCALES[unit]?.base === 1024;
}
