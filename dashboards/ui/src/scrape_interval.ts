/* How often do samples arrive? Measured at start and now and then from what is stored, so that
 * agents that report each second get lines of that resolution without any setting.
 *
 * The slowest target decides: a rate over less than two of its samples would be no line at all.
 * Only targets known for the whole span count, since younger ones look slow; right after a first
 * start, when there are none, any target does. */
import { queryInstant } from './api/client';
import { parseNumber, rawSeries } from './model/frames';
import { DEFAULT_SCRAPE_MS, scrapeIntervalFromCount } from './model/step';
import { scrapeKnown, scrapeMs } from './state';

/* One metric every scraped target has, and one every host has. */
const METRICS = ['up', 'node_time_seconds'];
const SPAN_MS = 120_000;
const YOUNG_SPAN_MS = 30_000;
export const MEASURE_EVERY_MS = 60_000;

async function count(expr: string): Promise<number | undefined> {
  const answer = await queryInstant(expr, Date.now());
  const sample = rawSeries(answer.data)[0]?.samples[0];
  return sample && parseNumber(sample[1]);
}

async function measureOne(metric: string): Promise<number | undefined> {
  const established = await count(`min(count_over_time(${metric}[2m]) and ${metric} offset 2m)`);
  if (established !== undefined) {
    return scrapeIntervalFromCount(established, SPAN_MS);
  }
  const young = await count(`min(count_over_time(${metric}[30s]))`);
  return young === undefined ? undefined : scrapeIntervalFromCount(young, YOUNG_SPAN_MS);
}

export async function measureScrapeInterval(): Promise<void> {
  const measured = await Promise.allSettled(METRICS.map(measureOne));
  const known = measured.flatMap((m) =>
    m.status === 'fulfilled' && m.value !== undefined ? [m.value] : [],
  );
  // Without an answer the usual interval stays; panels report what is wrong with the server.
  scrapeMs.value = known.length > 0 ? Math.max(...known) : DEFAULT_SCRAPE_MS;
  scrapeKnown.value = true;
}
