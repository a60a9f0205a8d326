/* Variables inside texts: $name, ${name}, ${name:format}, [[name]], as Grafana replaces them.
 *
 * In expressions values are escaped for where they stand: one value for a PromQL string, several
 * (and those of variables that allow several) as a regular expression. A name that is not known is
 * left as it is, so that the error of the server shows it.
 */

export interface VariableValue {
  /* Chosen values; for All the values behind it, unless `raw` replaces them. */
  values: string[];
  /* Whether several may be chosen: then even one value is escaped as a regular expression. */
  multi: boolean;
  /* The author's own value for All, inserted as it is. */
  raw?: string;
  /* What titles show; the values joined unless given. */
  text?: string;
}

export type Scope = Record<string, VariableValue>;
export type Format = 'promql' | 'text';

const REFERENCE = /\$(\w+)|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}|\[\[(\w+)(?::([^\]]+))?\]\]/g;

export function interpolate(text: string, scope: Scope, format: Format = 'promql'): string {
  return text.replace(REFERENCE, (whole, a, b, formatB, c, formatC) => {
    const value = scope[a ?? b ?? c];
    if (!value) {
      return whole;
    }
    const explicit: string | undefined = formatB ?? formatC;
    return explicit ? formatAs(value, explicit) : formatDefault(value, format);
  });
}

/* Names of variables a text refers to, to order variables and to know what must be asked again. */
export function references(text: string): string[] {
  return [...text.matchAll(REFERENCE)].map((m) => (m[1] ?? m[2] ?? m[4])!);
}

function formatDefault(value: VariableValue, format: Format): string {
  if (format === 'text') {
    return value.text ?? value.values.join(' + ');
  }
  if (value.raw !== undefined) {
    return value.raw;
  }
  if (!value.multi) {
    return escapeString(value.values[0] ?? '');
  }
  const escaped = value.values.map((v) => escapeString(escapeRegex(v)));
  return escaped.length === 1 ? escaped[0]! : `(${escaped.join('|')})`;
}

function formatAs(value: VariableValue, format: string): string {
  const list = value.raw !== undefined ? [value.raw] : value.values;
  const plain = value.raw !== undefined ? (v: string) => v : escapeRegex;
  switch (format.split(':')[0]) {
    case 'regex':
      return list.length === 1 ? plain(list[0]!) : `(${list.map(plain).join('|')})`;
    case 'pipe':
      return list.join('|');
    case 'csv':
    case 'raw':
      return list.join(',');
    case 'glob':
      return list.length === 1 ? list[0]! : `{${list.join(',')}}`;
    case 'json':
      return JSON.stringify(list.length === 1 ? list[0] : list);
    case 'singlequote':
      return list.map((v) => `'${v.replaceAll("'", "\\'")}'`).join(',');
    case 'doublequote':
      return list.map((v) => `"${v.replaceAll('"', '\\"')}"`).join(',');
    case 'percentencode':
      return encodeURIComponent(list.join(','));
    case 'text':
      return value.text ?? list.join(' + ');
    default:
      return formatDefault(value, 'promql');
  }
}

/* For the inside of a double-quoted PromQL string. */
function escapeString(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function escapeRegex(value: string): string {
  return value.replace(/[\\^$*+?.()|[\]{}]/g, '\\$&');
}

export interface BuiltinInput {
  from: number;
  to: number;
  interval: string;
  intervalMs: number;
  rateInterval: string;
}

const one = (value: string | number): VariableValue => ({ values: [String(value)], multi: false });

/* $__interval and friends. */
export function builtins(input: BuiltinInput): Scope {
  const rangeS = Math.round((input.to - input.from) / 1000);
  return {
    __interval: one(input.interval),
    __interval_ms: one(input.intervalMs),
    __rate_interval: one(input.rateInterval),
    __range: one(`${rangeS}s`),
    __range_s: one(rangeS),
    __range_ms: one(rangeS * 1000),
    __from: one(input.from),
    __to: one(input.to),
  };
}
