/* How fine to ask: the step of a range query and the intervals that expressions refer to.
 *
 * The rules are Grafana's, so that the same dashboard gives the same picture here and there:
 * one point per pixel, rounded to a pleasant number, never finer than the data, never more points
 * than the server answers (11,000 in the API's contract).
 */
import { formatDuration, parseDuration, type TimeWindow } from './time';

/* Samples arrive this often unless measured or told otherwise. */
export const DEFAULT_SCRAPE_MS = 15_000;
const POINTS_MAX = 11_000;

/* Pleasant steps with the longest exact step that still rounds to each. */
const NICE: [limit: number, step: number][] = [
  [10, 1],
  [15, 10],
  [35, 20],
  [75, 50],
  [150, 100],
  [350, 200],
  [750, 500],
  [1_500, 1_000],
  [3_500, 2_000],
  [7_500, 5_000],
  [12_500, 10_000],
  [17_500, 15_000],
  [25_000, 20_000],
  [45_000, 30_000],
  [90_000, 60_000],
  [210_000, 120_000],
  [450_000, 300_000],
  [750_000, 600_000],
  [1_050_000, 900_000],
  [1_500_000, 1_200_000],
  [2_700_000, 1_800_000],
  [5_400_000, 3_600_000],
  [9_000_000, 7_200_000],
  [16_200_000, 10_800_000],
  [32_400_000, 21_600_000],
  [86_400_000, 43_200_000],
  [604_800_000, 86_400_000],
  [1_814_400_000, 604_800_000],
  [3_628_800_000, 2_592_000_000],
];

export function roundInterval(ms: number): number {
  for (const [limit, step] of NICE) {
    if (ms < limit) {
      return step;
    }
  }
  return 31_536_000_000;
}

export interface StepInput {
  window: TimeWindow;
  maxDataPoints: number;
  /* "Min step" of target or panel, e.g. "1m"; may be empty. */
  minInterval?: string;
  intervalFactor?: number;
  scrapeMs: number;
}

export interface Step {
  stepMs: number;
  /* Values of the built-in variables. */
  interval: string;
  intervalMs: number;
  rateInterval: string;
}

export function computeStep(input: StepInput): Step {
  const span = input.window.to - input.window.from;
  const wanted = input.minInterval ? parseDuration(input.minInterval) : undefined;
  const scrape = wanted ?? input.scrapeMs;
  const byPixels = roundInterval(span / Math.max(1, input.maxDataPoints));
  const byLimit = roundInterval(span / POINTS_MAX);
  const stepMs = Math.max(scrape, byPixels, byLimit) * Math.max(1, input.intervalFactor ?? 1);
  return {
    stepMs,
    interval: formatDuration(stepMs),
    intervalMs: stepMs,
    rateInterval: formatDuration(Math.max(stepMs + scrape, 4 * scrape)),
  };
}

/* Both ends fall on multiples of the step in local time, so that a refresh asks for the same points
 * again (the server can keep them) and lines do not dance. */
export function alignWindow(window: TimeWindow, stepMs: number, utcOffsetMs: number): TimeWindow {
  const align = (at: number) => Math.floor((at + utcOffsetMs) / stepMs) * stepMs - utcOffsetMs;
  return { from: align(window.from), to: align(window.to) };
}

/* The scrape interval that explains `count` samples within `spanMs`, as a usual number.
 * Counts within a window vary by one, so the nearest usual interval is the answer. */
export function scrapeIntervalFromCount(count: number, spanMs: number): number {
  const usual = [1, 2, 5, 10, 15, 20, 30, 60].map((s) => s * 1000);
  const measured = spanMs / Math.max(1, count);
  let best = DEFAULT_SCRAPE_MS;
  let distance = Infinity;
  for (const candidate of usual) {
    const d = Math.abs(Math.log(candidate / measured));
    if (d < distance) {
      best = candidate;
      distance = d;
    }
  }
  return best;
}
