/* The product watching itself: is every target reached, what does it cost, are queries fast?
 *
 * Mostly metrics that any scraped program has (up, scrape_*, process_*), so that it also works for
 * a server that scrapes other programs. Buckets are shown as shares below a bound, which is exact,
 * rather than as an interpolated quantile.
 */
import {
  byName,
  byRegexp,
  dashboard,
  datasourceVariable,
  fixed,
  heatmap,
  instant,
  joined,
  manyVariable,
  query,
  row,
  stat,
  steps,
  table,
  timeseries,
} from './grafana.mjs';

const TARGET = 'job=~"$job",instance=~"$instance"';
const rate = (metric, selector = TARGET) => `rate(${metric}{${selector}}[$__rate_interval])`;
const NONE_IS_GOOD = steps([null, 'green'], [1, 'red']);
const BUCKET = 'sonde_query_duration_seconds_bucket';

const overview = row('Overview', [
  stat(
    'Targets up',
    'Targets whose last scrape succeeded.',
    [4, 4],
    [query(`sum(up{${TARGET}})`, 'up')],
    { unit: 'none' },
  ),
  stat(
    'Targets down',
    'Targets whose last scrape failed.',
    [4, 4],
    [query(`count(up{${TARGET}}) - sum(up{${TARGET}})`, 'down')],
    { unit: 'none', thresholds: NONE_IS_GOOD },
  ),
  stat(
    'Samples per second',
    'Samples the server took in per second.',
    [4, 4],
    [query(`sum(${rate('sonde_ingested_samples_total')})`, 'samples')],
    { unit: 'short', color: 'blue', min: 0, noValue: 'no data' },
  ),
  stat(
    'Queries per second',
    'Queries the server answered per second.',
    [4, 4],
    [query(`sum(${rate(BUCKET, `${TARGET},le="+Inf"`)})`, 'queries')],
    { unit: 'ops', color: 'blue', min: 0, noValue: 'no data' },
  ),
  stat(
    'Memory',
    'Resident memory of the chosen programs.',
    [4, 4],
    [query(`sum(process_resident_memory_bytes{${TARGET}})`, 'resident')],
    { unit: 'bytes', color: 'orange', min: 0 },
  ),
  stat(
    'CPU',
    'CPUs used by the chosen programs.',
    [4, 4],
    [query(`sum(${rate('process_cpu_seconds_total')})`, 'CPUs')],
    { unit: 'percentunit', decimals: 2, color: 'blue', min: 0 },
  ),
]);

const ingest = row('Ingest and queries', [
  timeseries(
    'Samples taken in',
    'Samples per second by server.',
    [8, 8],
    [query(`sum by (instance) (${rate('sonde_ingested_samples_total')})`, '{{instance}}')],
    { unit: 'short' },
  ),
  heatmap(
    'Duration of queries',
    'How many queries took how long. Darker is more.',
    [8, 8],
    `sum by (le) (increase(${BUCKET}{${TARGET}}[$__rate_interval]))`,
  ),
  timeseries(
    'Queries faster than',
    'Share of queries that were answered within each bound, in seconds.',
    [8, 8],
    [
      query(
        `sum by (le) (${rate(BUCKET)}) / on () group_left () sum(${rate(BUCKET, `${TARGET},le="+Inf"`)})`,
        '{{le}} s',
      ),
    ],
    { unit: 'percentunit', max: 1, fill: 0, sort: 'none' },
  ),
]);

const targets = row('Targets', [
  table(
    'Targets now',
    'Every target, whether its last scrape succeeded, how long it took and how much it gave.',
    [24, 8],
    [
      instant(`sum by (job, instance) (up{${TARGET}})`),
      instant(`sum by (job, instance) (scrape_duration_seconds{${TARGET}})`),
      instant(`sum by (job, instance) (scrape_samples_scraped{${TARGET}})`),
      instant(`avg by (job, instance) (avg_over_time(up{${TARGET}}[$__range]))`),
    ],
    {
      sortBy: [{ displayName: 'Up', desc: false }],
      transformations: joined({
        job: 'Job',
        instance: 'Instance',
        'Value #A': 'Up',
        'Value #B': 'Scrape duration',
        'Value #C': 'Samples',
        'Value #D': 'Up in this range',
      }),
      overrides: [
        byName('Up', {
          mappings: [
            {
              type: 'value',
              options: {
                0: { text: 'down', color: 'red', index: 0 },
                1: { text: 'up', color: 'green', index: 1 },
              },
            },
          ],
          'custom.cellOptions': { type: 'color-text' },
        }),
        byName('Scrape duration', { unit: 's' }),
        byName('Up in this range', {
          unit: 'percentunit',
          min: 0,
          max: 1,
          decimals: 2,
          thresholds: steps([null, 'red'], [0.99, 'orange'], [0.999, 'green']),
          'custom.cellOptions': {
            type: 'gauge',
            mode: 'basic',
            valueDisplayMode: 'text',
          },
        }),
      ],
    },
  ),
  timeseries(
    'Scrape duration',
    'Time from request to the last byte, by target.',
    [8, 8],
    [query(`scrape_duration_seconds{${TARGET}}`, '{{job}} {{instance}}')],
    { unit: 's', fill: 0 },
  ),
  timeseries(
    'Samples per scrape',
    'Samples each target gave. A jump is a new version or an explosion of label values.',
    [8, 8],
    [query(`scrape_samples_scraped{${TARGET}}`, '{{job}} {{instance}}')],
    { unit: 'short', fill: 0 },
  ),
  timeseries(
    'Reached',
    '1 while a target answers.',
    [8, 8],
    [query(`up{${TARGET}}`, '{{job}} {{instance}}')],
    { unit: 'bool_yes_no', max: 1, legend: 'list', fill: 0 },
  ),
]);

const processes = row('Programs', [
  timeseries(
    'CPU',
    'CPUs each program uses.',
    [8, 8],
    [query(rate('process_cpu_seconds_total'), '{{job}} {{instance}}')],
    { unit: 'percentunit' },
  ),
  timeseries(
    'Resident memory',
    'Memory each program holds.',
    [8, 8],
    [query(`process_resident_memory_bytes{${TARGET}}`, '{{job}} {{instance}}')],
    { unit: 'bytes', fill: 0 },
  ),
  timeseries(
    'Open files',
    'File descriptors in use.',
    [8, 8],
    [
      query(`process_open_fds{${TARGET}}`, '{{job}} {{instance}}'),
      query(`min(process_max_fds{${TARGET}})`, 'lowest limit'),
    ],
    {
      unit: 'short',
      fill: 0,
      overrides: [
        byName('lowest limit', {
          color: fixed('red'),
          'custom.hideFrom': { viz: true, legend: false, tooltip: true },
        }),
        byRegexp('/limit/', { 'custom.lineStyle': { fill: 'dash', dash: [6, 6] } }),
      ],
    },
  ),
]);

export default dashboard({
  uid: 'sonde-self',
  title: 'Sonde itself',
  description: 'Targets, ingest, queries and the cost of the server and its agents.',
  tags: ['sonde', 'self'],
  refresh: '10s',
  from: 'now-30m',
  variables: [
    datasourceVariable(),
    manyVariable('job', 'Job', 'label_values(up, job)'),
    manyVariable('instance', 'Instance', 'label_values(up{job=~"$job"}, instance)'),
  ],
  rows: [overview, ingest, targets, processes],
});
