import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  alignWindow,
  computeStep,
  roundInterval,
  scrapeIntervalFromCount,
} from '../src/model/step';

const HOUR = 3_600_000;

test('steps are pleasant numbers', () => {
  const cases: [ms: number, step: number][] = [
    [1, 1],
    [1800, 2000],
    [12_000, 10_000],
    [14_400, 15_000],
    [40_000, 30_000],
    [50_000, 60_000],
    [HOUR, HOUR],
  ];
  for (const [ms, step] of cases) {
    assert.equal(roundInterval(ms), step, String(ms));
  }
});

test('one point per pixel, never finer than the data', () => {
  const window = { from: 0, to: HOUR };
  // 3600 s over 600 pixels is 6 s, which rounds to 5 s; samples come each 15 s.
  const coarse = computeStep({ window, maxDataPoints: 600, scrapeMs: 15_000 });
  assert.equal(coarse.stepMs, 15_000);
  // max(15 + 15, 4 × 15)
  assert.equal(coarse.rateInterval, '1m');
  const fine = computeStep({ window, maxDataPoints: 600, scrapeMs: 1000 });
  assert.equal(fine.stepMs, 5000);
  // max(5 + 1, 4 × 1)
  assert.equal(fine.rateInterval, '6s');
  const long = computeStep({
    window: { from: 0, to: 24 * HOUR },
    maxDataPoints: 600,
    scrapeMs: 15_000,
  });
  // 86400 s / 600 = 144 s → 2 min; max(120 + 15, 60)
  assert.equal(long.interval, '2m');
  assert.equal(long.rateInterval, '2m15s');
});

test('min step and factor of a target', () => {
  const window = { from: 0, to: HOUR };
  assert.equal(
    computeStep({ window, maxDataPoints: 1000, scrapeMs: 15_000, minInterval: '1m' }).stepMs,
    60_000,
  );
  assert.equal(
    computeStep({ window, maxDataPoints: 1000, scrapeMs: 15_000, minInterval: '1m' }).rateInterval,
    '4m',
  );
  assert.equal(
    computeStep({ window, maxDataPoints: 1000, scrapeMs: 15_000, intervalFactor: 2 }).stepMs,
    30_000,
  );
});

test('no answer of more than 11,000 points', () => {
  const year = 365 * 24 * HOUR;
  const { stepMs } = computeStep({
    window: { from: 0, to: year },
    maxDataPoints: 100_000,
    scrapeMs: 1000,
  });
  assert.ok(year / stepMs <= 11_000, `${year / stepMs} points`);
});

test('windows fall on multiples of the step in local time', () => {
  assert.deepEqual(alignWindow({ from: 61_500, to: 121_500 }, 60_000, 0), {
    from: 60_000,
    to: 120_000,
  });
  const day = 24 * HOUR;
  const offset = 2 * HOUR;
  assert.deepEqual(alignWindow({ from: day, to: 2 * day }, day, offset), {
    from: day - offset,
    to: 2 * day - offset,
  });
});

test('the scrape interval follows from the samples in a minute', () => {
  const cases: [count: number, ms: number][] = [
    [60, 1000],
    [59, 1000],
    [30, 2000],
    [12, 5000],
    [6, 10_000],
    [4, 15_000],
    [2, 30_000],
    [1, 60_000],
  ];
  for (const [count, ms] of cases) {
    assert.equal(scrapeIntervalFromCount(count, 60_000), ms, String(count));
  }
});
