/* The host at a glance, and the pressure on all its resources. */
import { byName, fixed, query, row, stat, steps, timeseries } from './grafana.mjs';
import { BUSY, NONE_IS_GOOD, ONE, WAITING, filesystemUsed, sumOf } from './selectors.mjs';

const { rate } = ONE;
const CPU_COUNT = `count(node_cpu_seconds_total{${ONE.host},mode="idle"})`;
const ofAllCpus = (mode) => `avg(${rate('node_cpu_seconds_total', `${ONE.host},mode="${mode}"`)})`;
const CPU_USED = `1 - ${ofAllCpus('idle')} - ${ofAllCpus('iowait')}`;
const MEMORY_USED = `1 - node_memory_MemAvailable_bytes{${ONE.host}} / node_memory_MemTotal_bytes{${ONE.host}}`;

export const overview = row('Overview', [
  stat(
    'CPU used',
    'Share of all CPUs that was neither idle nor waiting for disks.',
    [3, 4],
    [query(CPU_USED, 'CPU')],
    { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 },
  ),
  stat(
    'Load per CPU',
    'Load average of one minute divided by the number of CPUs. Above 1, work waits.',
    [3, 4],
    [query(`sum(node_load1{${ONE.host}}) / ${CPU_COUNT}`, 'load')],
    {
      unit: 'none',
      decimals: 2,
      thresholds: steps([null, 'green'], [1, 'orange'], [2, 'red']),
      min: 0,
    },
  ),
  stat(
    'Memory used',
    'Share of memory that is not available to new work without swapping.',
    [3, 4],
    [query(MEMORY_USED, 'memory')],
    { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 },
  ),
  stat(
    'Fullest filesystem',
    'Used share of the filesystem with the least room left.',
    [3, 4],
    [query(`max(${filesystemUsed(ONE)})`, 'used')],
    { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 },
  ),
  stat(
    'Busiest disk',
    'Share of time in which the busiest disk had at least one request in flight.',
    [3, 4],
    [query(`max(${rate('node_disk_io_time_seconds_total', ONE.disk)})`, 'busy')],
    { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 },
  ),
  stat(
    'Network',
    'Bits received and sent per second, all interfaces that leave the host.',
    [3, 4],
    [
      query(
        `8 * (${sumOf(
          `sum(${rate('node_network_receive_bytes_total', ONE.nic)})`,
          `sum(${rate('node_network_transmit_bytes_total', ONE.nic)})`,
        )})`,
        'traffic',
      ),
    ],
    { unit: 'bps', decimals: 1, color: 'blue', min: 0 },
  ),
  stat(
    'Errors',
    'Network errors and drops per second, plus processes killed for lack of memory.',
    [3, 4],
    [
      query(
        sumOf(
          `sum(${rate('node_network_receive_errs_total', ONE.nic)})`,
          `sum(${rate('node_network_transmit_errs_total', ONE.nic)})`,
          `sum(${rate('node_network_receive_drop_total', ONE.nic)})`,
          `sum(${rate('node_network_transmit_drop_total', ONE.nic)})`,
          `sum(${rate('node_vmstat_oom_kill')})`,
        ),
        'errors',
      ),
    ],
    { unit: 'ops', decimals: 1, thresholds: NONE_IS_GOOD, min: 0 },
  ),
  stat(
    'Uptime',
    'Time since the kernel started.',
    [3, 4],
    [query(`node_time_seconds{${ONE.host}} - node_boot_time_seconds{${ONE.host}}`, 'uptime')],
    { unit: 's', decimals: 1, graph: false, color: 'text' },
  ),
]);

export const pressure = row('Pressure', [
  timeseries(
    'Pressure of all resources',
    'Share of time in which some task waited for CPU, memory or disks. The first place to look when a host is slow.',
    [24, 7],
    [
      query(rate('node_pressure_cpu_waiting_seconds_total'), 'CPU'),
      query(rate('node_pressure_memory_waiting_seconds_total'), 'memory'),
      query(rate('node_pressure_io_waiting_seconds_total'), 'disk'),
    ],
    {
      unit: 'percentunit',
      thresholds: WAITING,
      softMax: 0.1,
      placement: 'right',
      overrides: [
        byName('CPU', { color: fixed('blue') }),
        byName('memory', { color: fixed('orange') }),
        byName('disk', { color: fixed('purple') }),
      ],
    },
  ),
]);
