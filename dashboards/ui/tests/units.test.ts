import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatText, formatTicks } from '../src/model/units';

/* Expected texts follow from the definitions: 1 KiB = 1024 B, 1 kb = 1000 b, 90 s = 1.5 min. */
const CASES: [value: number | null, unit: string, decimals: number | undefined, text: string][] = [
  [0, 'bytes', undefined, '0 B'],
  [1536, 'bytes', undefined, '1.5 KiB'],
  [8 * 1024 ** 3, 'bytes', undefined, '8 GiB'],
  [1023, 'bytes', undefined, '1023 B'],
  [-2048, 'bytes', undefined, '-2 KiB'],
  [2048, 'kbytes', undefined, '2 MiB'],
  [1500, 'decbytes', undefined, '1.5 kB'],
  [1_000_000, 'bps', undefined, '1 Mb/s'],
  [12_345, 'Bps', 1, '12.3 kB/s'],
  [250, 'pps', undefined, '250 p/s'],
  [1234, 'short', undefined, '1.23 K'],
  [5_600_000, 'short', undefined, '5.6 Mil'],
  [0.5, 'percentunit', undefined, '50%'],
  [0.123456, 'percentunit', 1, '12.3%'],
  [12.5, 'percent', undefined, '12.5%'],
  [0, 'percentunit', 2, '0.00%'],
  [90, 's', undefined, '1.5 min'],
  [0.0042, 's', undefined, '4.2 ms'],
  [0.0000015, 's', undefined, '1.5 µs'],
  [86_400 * 3, 's', undefined, '3 days'],
  [1500, 'ms', undefined, '1.5 s'],
  [0, 's', undefined, '0 s'],
  [1200, 'ops', undefined, '1.2 K ops/s'],
  [42, 'iops', undefined, '42 io/s'],
  [1, 'bool_yes_no', undefined, 'Yes'],
  [0, 'bool_yes_no', undefined, 'No'],
  [93_784, 'dtdurations', undefined, '1d 2h'],
  [3, 'none', undefined, '3'],
  [3.14159, 'none', 2, '3.14'],
  [7, 'furlong', undefined, '7 furlong'],
  [7, 'suffix:users', undefined, '7 users'],
  [Infinity, 'bytes', undefined, '+Inf'],
  [-Infinity, 'bytes', undefined, '-Inf'],
  [NaN, 'bytes', undefined, 'NaN'],
  [null, 'bytes', undefined, '-'],
  [-0.0001, 'none', 1, '0.0'],
];

test('values with units', () => {
  for (const [value, unit, decimals, text] of CASES) {
    assert.equal(formatText(value, unit, decimals), text, `${value} ${unit} ${decimals}`);
  }
});

test('ticks of an axis are distinct and no more precise than needed', () => {
  assert.deepEqual(formatTicks([0, 0.25, 0.5, 0.75, 1], 'percentunit'), [
    '0%',
    '25%',
    '50%',
    '75%',
    '100%',
  ]);
  assert.deepEqual(formatTicks([0, 0.005, 0.01], 'percentunit'), ['0%', '0.5%', '1.0%']);
  assert.deepEqual(formatTicks([0, 1024 ** 3, 2 * 1024 ** 3], 'bytes'), ['0 B', '1 GiB', '2 GiB']);
  assert.deepEqual(formatTicks([1500, 1501, 1502], 'short'), ['1.500 K', '1.501 K', '1.502 K']);
  assert.deepEqual(formatTicks([], 'short'), []);
});

test('mirrored axes repeat their labels', () => {
  assert.deepEqual(formatTicks([50, 0, 50], 'none'), ['50', '0', '50']);
});
