/* Colours: series palette, Grafana's colour names, thresholds and value mappings.
 *
 * Names rather than hex values are used inside; `paint` turns a name into the value of the current
 * theme at the moment of drawing, so that switching themes needs no new data.
 */
import type { FieldConfig, Mapping, MappingResult, Thresholds } from './dashboard';

export type Theme = 'dark' | 'light';

/* Ordered so that neighbours differ in hue and in lightness, for eyes of all kinds. */
const PALETTE: Record<Theme, string[]> = {
  dark: [
    '#5794f2',
    '#f2a65a',
    '#4fc3a1',
    '#e8788a',
    '#b58ce8',
    '#e6cf5c',
    '#58c1e0',
    '#9ccc65',
    '#f08a5d',
    '#8fa3f0',
    '#d391c0',
    '#7fb8a4',
    '#c9a26b',
    '#ef9a9a',
    '#80cbc4',
    '#a1b5c9',
  ],
  light: [
    '#2f6fd6',
    '#d97b1c',
    '#1c9575',
    '#cf4058',
    '#8455c9',
    '#b3920b',
    '#1889ad',
    '#5f9527',
    '#c9542a',
    '#5468cf',
    '#ad4f93',
    '#43806a',
    '#96703a',
    '#cc5a5a',
    '#2e8f86',
    '#617a94',
  ],
};

const NAMED: Record<Theme, Record<string, string>> = {
  dark: {
    green: '#4fb477',
    yellow: '#e6c84f',
    orange: '#f0913f',
    red: '#ee5d66',
    blue: '#5794f2',
    purple: '#b183e6',
    text: '#c9d1dc',
    transparent: 'transparent',
    gray: '#8b95a3',
    grey: '#8b95a3',
    black: '#000000',
    white: '#ffffff',
  },
  light: {
    green: '#1f9254',
    yellow: '#b48e04',
    orange: '#d9690b',
    red: '#d22f3d',
    blue: '#2f6fd6',
    purple: '#8149c9',
    text: '#2a323d',
    transparent: 'transparent',
    gray: '#6a7482',
    grey: '#6a7482',
    black: '#000000',
    white: '#ffffff',
  },
};

/* dark-red, semi-dark-red, light-red, super-light-red: mixed with black or white by this much. */
const SHADE: Record<string, number> = {
  'super-light-': 0.45,
  'light-': 0.22,
  'semi-dark-': -0.15,
  'dark-': -0.32,
};

export function paint(color: string, theme: Theme): string {
  const known = NAMED[theme][color];
  if (known) {
    return known;
  }
  if (color.startsWith('palette:')) {
    return paletteShade(Number(color.slice(8)), theme);
  }
  for (const [prefix, amount] of Object.entries(SHADE)) {
    const base = color.startsWith(prefix) ? NAMED[theme][color.slice(prefix.length)] : undefined;
    if (base) {
      return mix(base, amount);
    }
  }
  return /^#|^rgba?\(|^hsla?\(/.test(color) ? color : NAMED[theme].gray!;
}

/* Each further round through the palette is paler or darker, so that equal hues stay apart. */
const ROUNDS = [0, 0.38, -0.32, 0.62, -0.5];

function paletteShade(index: number, theme: Theme): string {
  const palette = PALETTE[theme];
  const base = palette[index % palette.length]!;
  const round = ROUNDS[Math.floor(index / palette.length) % ROUNDS.length]!;
  return round === 0 ? base : mix(base, round);
}

function channels(hex: string): [number, number, number] {
  const long = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, '$&$&') : hex;
  const n = parseInt(long.slice(1, 7), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

function mix(hex: string, amount: number): string {
  const target = amount > 0 ? 255 : 0;
  const share = Math.abs(amount);
  const mixed = channels(hex).map((c) => Math.round(c + (target - c) * share));
  return `rgb(${mixed.join(', ')})`;
}

/* The colour with an opacity of 0..1. */
export function withAlpha(color: string, alpha: number): string {
  if (color.startsWith('#')) {
    return `rgba(${channels(color).join(', ')}, ${alpha})`;
  }
  const rgb = /^rgba?\(([^)]+)\)$/.exec(color);
  if (rgb) {
    return `rgba(${rgb[1]!.split(',').slice(0, 3).join(',')}, ${alpha})`;
  }
  return color;
}

export function paletteColor(index: number): string {
  return `palette:${index}`;
}

export function thresholdColor(
  value: number | null,
  thresholds: Thresholds | undefined,
  min = 0,
  max = 100,
): string {
  const steps = thresholds?.steps ?? [];
  let color = steps[0]?.color ?? 'green';
  if (value === null) {
    return color;
  }
  for (const step of steps) {
    if (value >= thresholdValue(step.value, thresholds, min, max)) {
      color = step.color;
    }
  }
  return color;
}

export function thresholdValue(
  value: number | null,
  thresholds: Thresholds | undefined,
  min: number,
  max: number,
): number {
  if (value === null) {
    return -Infinity;
  }
  return thresholds?.mode === 'percentage' ? min + ((max - min) * value) / 100 : value;
}

/* Colour of a field: fixed, by threshold of `value`, or from the palette by position. */
export function fieldColor(config: FieldConfig, index: number, value: number | null): string {
  const mode = config.color?.mode ?? 'palette-classic';
  if ((mode === 'fixed' || mode === 'shades') && config.color?.fixedColor) {
    return config.color.fixedColor;
  }
  if (mode === 'thresholds') {
    return thresholdColor(value, config.thresholds, config.min, config.max);
  }
  return paletteColor(index);
}

/* First mapping that fits. `text` is the raw text of table cells, null for numbers. */
export function applyMappings(
  value: number | null,
  text: string | null,
  mappings: Mapping[] | undefined,
): MappingResult | undefined {
  for (const mapping of mappings ?? []) {
    const result = mapOne(value, text ?? String(value), mapping);
    if (result) {
      return result;
    }
  }
  return undefined;
}

function mapOne(value: number | null, text: string, mapping: Mapping): MappingResult | undefined {
  switch (mapping.type) {
    case 'value':
      return mapping.options[text];
    case 'range': {
      const { from, to, result } = mapping.options;
      const inside = value !== null && value >= (from ?? -Infinity) && value <= (to ?? Infinity);
      return inside ? result : undefined;
    }
    case 'regex':
      return matches(mapping.options.pattern, text) ? mapping.options.result : undefined;
    case 'special': {
      const { match, result } = mapping.options;
      const isNull = value === null;
      const isNan = value !== null && Number.isNaN(value);
      const fits =
        (match === 'null' && isNull) ||
        (match === 'nan' && isNan) ||
        (match === 'null+nan' && (isNull || isNan)) ||
        (match === 'empty' && text === '');
      return fits ? result : undefined;
    }
    default:
      return undefined;
  }
}

/* Grafana writes patterns as /text/flags; a bad pattern matches nothing. */
export function matches(pattern: string, text: string): boolean {
  return toRegExp(pattern)?.test(text) ?? false;
}

export function toRegExp(pattern: string): RegExp | undefined {
  const slashes = /^\/(.*)\/([a-z]*)$/s.exec(pattern);
  try {
    return slashes ? new RegExp(slashes[1]!, slashes[2]!.replace('g', '')) : new RegExp(pattern);
  } catch {
    return undefined;
  }
}
