/* All hosts in one table, the worst on top: which one needs a look? Each leads to its own
 * dashboard. */
import {
  byName,
  byRegexp,
  dashboard,
  datasourceVariable,
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
import { BUSY, filesystemUsed, MANY, sumOf, WAITING } from './selectors.mjs';

const { rate } = MANY;
const byHost = (expr) => `sum by (instance) (${expr})`;

const CPU_IDLE = rate('node_cpu_seconds_total', `${MANY.host},mode=~"idle|iowait"`);
const CPU_USED = `1 - avg by (instance) (sum by (instance, cpu) (${CPU_IDLE}))`;
const CPU_COUNT = `count by (instance) (node_cpu_seconds_total{${MANY.host},mode="idle"})`;
const LOAD = `${byHost(`node_load1{${MANY.host}}`)} / ${CPU_COUNT}`;
const memory = (kind) => byHost(`node_memory_${kind}_bytes{${MANY.host}}`);
const MEMORY_USED = `1 - ${memory('MemAvailable')} / ${memory('MemTotal')}`;
const FILESYSTEM_USED = `max by (instance) (${filesystemUsed(MANY)})`;
const DISK_BUSY = `max by (instance) (${rate('node_disk_io_time_seconds_total', MANY.disk)})`;
const TRAFFIC = `8 * (${sumOf(
  byHost(rate('node_network_receive_bytes_total', MANY.nic)),
  byHost(rate('node_network_transmit_bytes_total', MANY.nic)),
)})`;
const pressure = (resource) => byHost(rate(`node_pressure_${resource}_waiting_seconds_total`));
const UPTIME = byHost(`node_time_seconds{${MANY.host}} - node_boot_time_seconds{${MANY.host}}`);

const SHARE = { unit: 'percentunit', min: 0, max: 1, decimals: 1 };
const GAUGE_CELL = {
  'custom.cellOptions': { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' },
};

const COLUMNS = {
  nodename: 'Host',
  instance: 'Instance',
  'Value #B': 'CPU',
  'Value #C': 'Load per CPU',
  'Value #D': 'Memory',
  'Value #E': 'Filesystem',
  'Value #F': 'Disk busy',
  'Value #G': 'CPU waits',
  'Value #H': 'Memory waits',
  'Value #I': 'Disk waits',
  'Value #J': 'Traffic',
  'Value #K': 'Uptime',
};

const overview = row('Overview', [
  stat(
    'Hosts',
    'Hosts that reported in the last minutes.',
    [6, 4],
    [query(`count(node_uname_info{${MANY.host}})`, 'hosts')],
    { unit: 'none', color: 'blue' },
  ),
  stat(
    'CPU used, worst host',
    'The largest share of CPU used by any host.',
    [6, 4],
    [query(`max(${CPU_USED})`, 'CPU')],
    { ...SHARE, thresholds: BUSY },
  ),
  stat(
    'Memory used, worst host',
    'The largest share of memory used by any host.',
    [6, 4],
    [query(`max(${MEMORY_USED})`, 'memory')],
    { ...SHARE, thresholds: BUSY },
  ),
  stat(
    'Fullest filesystem',
    'The largest share of a filesystem used on any host.',
    [6, 4],
    [query(`max(${FILESYSTEM_USED})`, 'used')],
    { ...SHARE, thresholds: BUSY },
  ),
]);

const list = row('Hosts', [
  table(
    'Hosts now',
    'One row per host. Click a name to see it in detail.',
    [24, 9],
    [
      instant(`sum by (instance, nodename) (node_uname_info{${MANY.host}})`),
      instant(CPU_USED),
      instant(LOAD),
      instant(MEMORY_USED),
      instant(FILESYSTEM_USED),
      instant(DISK_BUSY),
      instant(pressure('cpu')),
      instant(pressure('memory')),
      instant(pressure('io')),
      instant(TRAFFIC),
      instant(UPTIME),
    ],
    {
      thresholds: BUSY,
      sortBy: [{ displayName: 'CPU', desc: true }],
      transformations: joined(COLUMNS, ['Value #A']),
      overrides: [
        byRegexp('/^(CPU|Memory|Filesystem|Disk busy)$/', { ...SHARE, ...GAUGE_CELL }),
        byRegexp('/waits$/', {
          ...SHARE,
          thresholds: WAITING,
          'custom.cellOptions': { type: 'color-text' },
        }),
        byName('Load per CPU', {
          unit: 'none',
          decimals: 2,
          thresholds: steps([null, 'green'], [1, 'orange'], [2, 'red']),
          'custom.cellOptions': { type: 'color-text' },
        }),
        byName('Traffic', { unit: 'bps' }),
        byName('Uptime', { unit: 's', decimals: 1 }),
        byName('Host', {
          links: [
            {
              title: 'Open host',
              url: '/d/sonde-host-use?var-instance=${__data.fields.Instance}&${__url_time_range}',
            },
          ],
        }),
      ],
    },
  ),
]);

const compared = row('Compared', [
  timeseries(
    'CPU used',
    'Share of all CPUs in use, by host.',
    [8, 8],
    [query(CPU_USED, '{{instance}}')],
    { unit: 'percentunit', max: 1, fill: 0 },
  ),
  timeseries(
    'Memory used',
    'Share of memory that is not available, by host.',
    [8, 8],
    [query(MEMORY_USED, '{{instance}}')],
    { unit: 'percentunit', max: 1, fill: 0 },
  ),
  timeseries('Load per CPU', 'Above 1 work waits.', [8, 8], [query(LOAD, '{{instance}}')], {
    unit: 'none',
    decimals: 2,
    fill: 0,
    softMax: 1,
  }),
  timeseries(
    'Busiest disk',
    'Share of time the busiest disk had requests in flight, by host.',
    [8, 8],
    [query(DISK_BUSY, '{{instance}}')],
    { unit: 'percentunit', max: 1, fill: 0 },
  ),
  timeseries(
    'Fullest filesystem',
    'Used share of the fullest filesystem, by host.',
    [8, 8],
    [query(FILESYSTEM_USED, '{{instance}}')],
    { unit: 'percentunit', max: 1, fill: 0 },
  ),
  timeseries(
    'Traffic',
    'Bits received and sent per second, by host.',
    [8, 8],
    [query(TRAFFIC, '{{instance}}')],
    { unit: 'bps', fill: 0 },
  ),
]);

export default dashboard({
  uid: 'sonde-hosts',
  title: 'Hosts',
  description: 'All hosts in one table, the worst on top; each leads to its own dashboard.',
  tags: ['sonde', 'host'],
  refresh: '10s',
  from: 'now-30m',
  variables: [
    datasourceVariable(),
    manyVariable('instance', 'Instance', 'label_values(node_uname_info, instance)'),
  ],
  rows: [overview, list, compared],
});
