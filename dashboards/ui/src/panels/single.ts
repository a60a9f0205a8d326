/* Stat, gauge and bar gauge show one number per series: the reduction and its dress. */
import { applyMappings, fieldColor, thresholdColor } from '../model/color';
import type { FieldConfig } from '../model/dashboard';
import { buildFrame, type Series } from '../model/frames';
import { calcUnit, reduce } from '../model/reduce';
import { formatValue, type Formatted } from '../model/units';
import type { PanelProps } from './types';

export interface SingleValue {
  name: string;
  value: number | null;
  shown: Formatted;
  /* A colour name, see model/color.ts. */
  color: string;
  config: FieldConfig;
  series: Series;
}

export function singleValues({ panel, data }: PanelProps): SingleValue[] {
  const reduceOptions = (panel.options.reduceOptions ?? {}) as { calcs?: string[] };
  const calc = reduceOptions.calcs?.[0] ?? 'lastNotNull';
  const frame = buildFrame(data.results, panel, data.scope);
  return frame.series.map((series, index) => {
    const { config } = series;
    const value = reduce(series.values, calc);
    const mapped = applyMappings(value, null, config.mappings);
    const formatted =
      value === null && config.noValue
        ? { text: config.noValue, suffix: '' }
        : formatValue(value, calcUnit(calc, config.unit), config.decimals);
    const byMode = config.color?.mode
      ? fieldColor(config, index, value)
      : thresholdColor(value, config.thresholds);
    return {
      name: series.name,
      value,
      shown: mapped?.text ? { text: mapped.text, suffix: '' } : formatted,
      color: mapped?.color ?? byMode,
      config,
      series,
    };
  });
}

/* Limits of a gauge: configured, else 0 to 100 for percent, 0 to 1 for shares, else the data's. */
export function limitsOf(values: SingleValue[], config: FieldConfig): { min: number; max: number } {
  const usual = config.unit === 'percentunit' ? 1 : config.unit === 'percent' ? 100 : undefined;
  const largest = Math.max(0, ...values.map((v) => v.value ?? 0));
  const min = config.min ?? 0;
  const max = config.max ?? usual ?? largest;
  return { min, max: max > min ? max : min + 1 };
}

export function shareOf(value: number | null, { min, max }: { min: number; max: number }): number {
  return value === null ? 0 : Math.min(1, Math.max(0, (value - min) / (max - min)));
}
