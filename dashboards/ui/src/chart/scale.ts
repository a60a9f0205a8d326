/* From where to where a value axis reaches. */

export interface Limits {
  min?: number;
  max?: number;
  softMin?: number;
  softMax?: number;
}

export function yRange(
  dataMin: number | null,
  dataMax: number | null,
  limits: Limits,
): [number, number] {
  let low = dataMin ?? 0;
  let high = dataMax ?? 1;
  low = Math.min(low, limits.softMin ?? low);
  high = Math.max(high, limits.softMax ?? high);
  if (low === high) {
    // A flat line gets room around it; a flat zero sits on the bottom.
    low = low > 0 ? 0 : low;
    high = high < 0 ? 0 : high === 0 ? 1 : high * 1.25;
  }
  const pad = (high - low) * 0.06;
  const paddedLow = limits.min ?? (low >= 0 && low - pad < 0 ? 0 : low - pad);
  const paddedHigh = limits.max ?? high + pad;
  return [paddedLow, paddedHigh > paddedLow ? paddedHigh : paddedLow + 1];
}
