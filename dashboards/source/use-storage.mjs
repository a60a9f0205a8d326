/* Utilisation, saturation and errors of disks and filesystems. */
import {
  BELOW_ZERO,
  bargauge,
  byName,
  byRegexp,
  fixed,
  instant,
  joined,
  query,
  row,
  stat,
  steps,
  table,
  timeseries,
} from './grafana.mjs';
import { BUSY, ONE, filesystemUsed, inodesUsed } from './selectors.mjs';

const { rate } = ONE;
/* Time spent by the requests that completed, divided by their number. */
const meanTime = (one, many) =>
  `${rate(`node_disk_${one}_time_seconds_total`, ONE.disk)} / ${rate(`node_disk_${many}_completed_total`, ONE.disk)}`;

export const disk = row('Disk', [
  timeseries(
    'Disk utilisation',
    'Share of time with at least one request in flight. Disks with many channels can be at 100 % and still have room.',
    [8, 8],
    [query(rate('node_disk_io_time_seconds_total', ONE.disk), '{{device}}')],
    { unit: 'percentunit', max: 1 },
  ),
  timeseries(
    'Disk saturation: queue',
    'Requests in flight or waiting, on average.',
    [8, 8],
    [query(rate('node_disk_io_time_weighted_seconds_total', ONE.disk), '{{device}}')],
    { unit: 'short', softMax: 1 },
  ),
  timeseries(
    'Disk saturation: pressure',
    'Share of time in which some task, or all tasks, waited for disks (PSI).',
    [8, 8],
    [
      query(rate('node_pressure_io_waiting_seconds_total'), 'some task waits'),
      query(rate('node_pressure_io_stalled_seconds_total'), 'all tasks wait'),
    ],
    {
      unit: 'percentunit',
      calcs: ['lastNotNull', 'mean', 'max'],
      softMax: 0.05,
      overrides: [
        byName('some task waits', { color: fixed('orange') }),
        byName('all tasks wait', { color: fixed('red') }),
      ],
    },
  ),
  timeseries(
    'Disk throughput',
    'Bytes read (above) and written (below) per second.',
    [8, 8],
    [
      query(rate('node_disk_read_bytes_total', ONE.disk), '{{device}} read'),
      query(rate('node_disk_written_bytes_total', ONE.disk), '{{device}} written'),
    ],
    { unit: 'Bps', min: null, overrides: [byRegexp('/written$/', BELOW_ZERO)] },
  ),
  timeseries(
    'Disk operations',
    'Requests completed per second: reads (above) and writes (below).',
    [8, 8],
    [
      query(rate('node_disk_reads_completed_total', ONE.disk), '{{device}} reads'),
      query(rate('node_disk_writes_completed_total', ONE.disk), '{{device}} writes'),
    ],
    { unit: 'iops', min: null, overrides: [byRegexp('/writes$/', BELOW_ZERO)] },
  ),
  timeseries(
    'Disk latency',
    'Mean time a request took, queue included.',
    [8, 8],
    [
      query(meanTime('read', 'reads'), '{{device}} read'),
      query(meanTime('write', 'writes'), '{{device}} write'),
    ],
    { unit: 's' },
  ),
]);

export const filesystem = row('Filesystem', [
  table(
    'Filesystems',
    'Room on each filesystem now.',
    [12, 8],
    [
      instant(
        `sum by (mountpoint, device, fstype) (node_filesystem_size_bytes{${ONE.filesystem}})`,
      ),
      instant(
        `sum by (mountpoint, device, fstype) (node_filesystem_avail_bytes{${ONE.filesystem}})`,
      ),
      instant(`sum by (mountpoint, device, fstype) (${filesystemUsed(ONE)})`),
      instant(`sum by (mountpoint, device, fstype) (${inodesUsed(ONE)})`),
    ],
    {
      unit: 'bytes',
      thresholds: BUSY,
      sortBy: [{ displayName: 'Used', desc: true }],
      transformations: joined({
        mountpoint: 'Mount point',
        device: 'Device',
        fstype: 'Type',
        'Value #A': 'Size',
        'Value #B': 'Available',
        'Value #C': 'Used',
        'Value #D': 'Inodes used',
      }),
      overrides: [
        byRegexp('/used$/i', {
          unit: 'percentunit',
          min: 0,
          max: 1,
          decimals: 1,
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
    'Filesystem utilisation',
    'Used share of the room that users may fill.',
    [12, 8],
    [query(filesystemUsed(ONE), '{{mountpoint}}')],
    {
      unit: 'percentunit',
      max: 1,
      thresholds: steps([null, 'transparent'], [0.95, 'red']),
      calcs: ['lastNotNull', 'min', 'max'],
    },
  ),
  bargauge(
    'Inodes used',
    'Used share of the files a filesystem can hold. Full is full, whatever room is left.',
    [8, 6],
    [query(inodesUsed(ONE), '{{mountpoint}}')],
    { max: 1, decimals: 1, thresholds: BUSY },
  ),
  stat(
    'Filesystem errors',
    'Filesystems that turned read-only or do not answer. Ones mounted read-only on purpose count too.',
    [8, 6],
    [
      query(`sum(node_filesystem_readonly{${ONE.filesystem}})`, 'read-only'),
      query(`sum(node_filesystem_device_error{${ONE.filesystem}})`, 'not answering'),
    ],
    {
      graph: false,
      unit: 'none',
      thresholds: steps([null, 'green'], [1, 'red']),
      textMode: 'value_and_name',
    },
  ),
  timeseries(
    'Open files',
    'File handles in use in the whole system.',
    [8, 6],
    [query(`node_filefd_allocated{${ONE.host}}`, 'open')],
    { calcs: ['lastNotNull', 'max'] },
  ),
]);
