/* How traces look everywhere: each service in a colour of its own, durations in the unit that fits. */
import { paint, paletteColor, type Theme } from '../model/color';
import { formatText } from '../model/units';

export function serviceColors(services: string[], theme: Theme): Map<string, string> {
  return new Map(services.map((name, i) => [name, paint(paletteColor(i), theme)]));
}

export const durationText = (ms: number): string => formatText(ms, 'ms');

export const countText = (n: number, one: string): string => `${n} ${n === 1 ? one : `${one}s`}`;
