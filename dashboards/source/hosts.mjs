/* All hosts in one table, the worst on top: which one needs a look? Each leads to its own dashboard. */
import {
  byName,
  byRegexp,
  dashboard,
  datasourceVariable,
  instant,
  query,
  queryVariable,
  row,
  stat,
  steps,
  table,
  timeseries,
} from './grafana.mjs';

const HOSTS = 'instance=~"$instance"';
const REAL_DISK = `${HOSTS},device!~"(loop|ram|zram|sr|fd|dm-|md).*"`;
const REAL_FILESYSTEM = `${HOSTS},fstype!~"(tmpfs|ramfs|overlay|squashfs|iso9660|autofs|rootfs|nsfs|fuse\\\\..*|devtmpfs|efivarfs)"`;
const REAL_NIC = `${HOSTS},device!~"(lo|veth.*|docker.*|br-.*|cni.*|cali.*|virbr.*|ifb.*|tap.*)"`;

const rate = (metric, selector = HOSTS) => `rate(${metric}{${selector}}[$__rate_interval])`;
const CPU_USED = `1 - avg by (instance) (sum by (instance, cpu) (${rate('node_cpu_seconds_total', `${HOSTS},mode=~"idle|iowait"`)}))`;
const MEMORY_USED = `1 - sum by (instance) (node_memory_MemAvailable_bytes{${HOSTS}}) / sum by (instance) (node_memory_MemTotal_bytes{${HOSTS}})`;
const FILESYSTEM_USED = `max by (instance) (1 - node_filesystem_avail_bytes{${REAL_FILESYSTEM}} / node_filesystem_size_bytes{${REAL_FILESYSTEM}})`;
const DISK_BUSY = `max by (instance) (${rate('node_disk_io_time_seconds_total', REAL_DISK)})`;
const LOAD = `sum by (instance) (node_load1{${HOSTS}}) / count by (instance) (node_cpu_seconds_total{${HOSTS},mode="idle"})`;
const TRAFFIC = `8 * (sum by (instance) (${rate('node_network_receive_bytes_total', REAL_NIC)}) + sum by (instance) (${rate('node_network_transmit_bytes_total', REAL_NIC)}))`;
const PRESSURE = (resource) => `sum by (instance) (${rate(`node_pressure_${resource}_waiting_seconds_total`)})`;
const UPTIME = `sum by (instance) (node_time_seconds{${HOSTS}} - node_boot_time_seconds{${HOSTS}})`;

const BUSY = steps([null, 'green'], [0.8, 'orange'], [0.95, 'red']);
const WAITING = steps([null, 'green'], [0.1, 'orange'], [0.4, 'red']);
const SHARE = { unit: 'percentunit', min: 0, max: 1, decimals: 1 };
const GAUGE_CELL = { 'custom.cellOptions': { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' } };

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
  stat('Hosts', 'Hosts that reported in the last minutes.', [6, 4],
    [query(`count(node_uname_info{${HOSTS}})`, 'hosts')], { unit: 'none', color: 'blue' }),
  stat('CPU used, worst host', 'The largest share of CPU used by any host.', [6, 4],
    [query(`max(${CPU_USED})`, 'CPU')], { ...SHARE, thresholds: BUSY }),
  stat('Memory used, worst host', 'The largest share of memory used by any host.', [6, 4],
    [query(`max(${MEMORY_USED})`, 'memory')], { ...SHARE, thresholds: BUSY }),
  stat('Fullest filesystem', 'The largest share of a filesystem used on any host.', [6, 4],
    [query(`max(${FILESYSTEM_USED})`, 'used')], { ...SHARE, thresholds: BUSY }),
]);

const list = row('Hosts', [
  table('Hosts now', 'One row per host. Click a name to see it in detail.', [24, 9],
    [
      instant(`sum by (instance, nodename) (node_uname_info{${HOSTS}})`),
      instant(CPU_USED),
      instant(LOAD),
      instant(MEMORY_USED),
      instant(FILESYSTEM_USED),
      instant(DISK_BUSY),
      instant(PRESSURE('cpu')),
      instant(PRESSURE('memory')),
      instant(PRESSURE('io')),
      instant(TRAFFIC),
      instant(UPTIME),
    ],
    {
      thresholds: BUSY,
      sortBy: [{ displayName: 'CPU', desc: true }],
      transformations: [
        { id: 'merge', options: {} },
        {
          id: 'organize',
          options: {
            excludeByName: { Time: true, 'Value #A': true },
            indexByName: Object.fromEntries(Object.keys(COLUMNS).map((name, i) => [name, i])),
            renameByName: COLUMNS,
          },
        },
      ],
      overrides: [
        byRegexp('/^(CPU|Memory|Filesystem|Disk busy)$/', { ...SHARE, ...GAUGE_CELL }),
        byRegexp('/waits$/', { ...SHARE, thresholds: WAITING, 'custom.cellOptions': { type: 'color-text' } }),
        byName('Load per CPU', { unit: 'none', decimals: 2, thresholds: steps([null, 'green'], [1, 'orange'], [2, 'red']), 'custom.cellOptions': { type: 'color-text' } }),
        byName('Traffic', { unit: 'bps' }),
        byName('Uptime', { unit: 's', decimals: 1 }),
        byName('Host', {
          links: [{ title: 'Open host', url: '/d/sonde-host-use?var-instance=${__data.fields.Instance}&${__url_time_range}' }],
        }),
      ],
    }),
]);

const compared = row('Compared', [
  timeseries('CPU used', 'Share of all CPUs in use, by host.', [8, 8], [query(CPU_USED, '{{instance}}')], { unit: 'percentunit', max: 1, fill: 0 }),
  timeseries('Memory used', 'Share of memory that is not available, by host.', [8, 8], [query(MEMORY_USED, '{{instance}}')], { unit: 'percentunit', max: 1, fill: 0 }),
  timeseries('Load per CPU', 'Above 1 work waits.', [8, 8], [query(LOAD, '{{instance}}')], { unit: 'none', decimals: 2, fill: 0, softMax: 1 }),
  timeseries('Busiest disk', 'Share of time the busiest disk had requests in flight, by host.', [8, 8], [query(DISK_BUSY, '{{instance}}')], { unit: 'percentunit', max: 1, fill: 0 }),
  timeseries('Fullest filesystem', 'Used share of the fullest filesystem, by host.', [8, 8], [query(FILESYSTEM_USED, '{{instance}}')], { unit: 'percentunit', max: 1, fill: 0 }),
  timeseries('Traffic', 'Bits received and sent per second, by host.', [8, 8], [query(TRAFFIC, '{{instance}}')], { unit: 'bps', fill: 0 }),
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
    queryVariable('instance', 'Instance', 'label_values(node_uname_info, instance)', { includeAll: true, multi: true, allValue: '.+', current: { text: ['All'], value: ['$__all'] } }),
  ],
  rows: [overview, list, compared],
});
