/* Utilisation, saturation and errors of CPU and memory. */
import { BELOW_ZERO, byName, fixed, query, row, timeseries } from './grafana.mjs';
import { DASHED, ONE } from './selectors.mjs';

const { rate } = ONE;
const CPU_COUNT = `count(node_cpu_seconds_total{${ONE.host},mode="idle"})`;

export const cpu = row('CPU', [
  timeseries(
    'CPU utilisation',
    'Where CPU time goes, as a share of all CPUs. Idle is what is missing to 100 %.',
    [12, 8],
    [
      query(
        `avg by (mode) (${rate('node_cpu_seconds_total', `${ONE.host},mode!="idle"`)})`,
        '{{mode}}',
      ),
    ],
    {
      unit: 'percentunit',
      stack: true,
      max: 1,
      placement: 'right',
      overrides: [
        byName('user', { color: fixed('blue') }),
        byName('system', { color: fixed('orange') }),
        byName('iowait', { color: fixed('red') }),
        byName('steal', { color: fixed('purple') }),
        byName('nice', { color: fixed('green') }),
        byName('softirq', { color: fixed('yellow') }),
        byName('irq', { color: fixed('semi-dark-yellow') }),
      ],
    },
  ),
  timeseries(
    'CPU saturation: load',
    'Tasks that run or wait to run (and tasks that wait for disks), against the number of CPUs.',
    [6, 8],
    [
      query(`node_load1{${ONE.host}}`, '1 min'),
      query(`node_load5{${ONE.host}}`, '5 min'),
      query(`node_load15{${ONE.host}}`, '15 min'),
      query(CPU_COUNT, 'CPUs'),
    ],
    {
      unit: 'short',
      calcs: ['lastNotNull', 'max'],
      fill: 0,
      overrides: [
        byName('CPUs', {
          color: fixed('red'),
          ...DASHED,
        }),
      ],
    },
  ),
  timeseries(
    'CPU saturation: pressure',
    'Share of time in which at least one task waited for a CPU (PSI).',
    [6, 8],
    [query(rate('node_pressure_cpu_waiting_seconds_total'), 'some task waits')],
    {
      unit: 'percentunit',
      calcs: ['lastNotNull', 'max'],
      softMax: 0.05,
      overrides: [byName('some task waits', { color: fixed('orange') })],
    },
  ),
  timeseries(
    'Each CPU',
    'Busy share of each CPU. One line at the top of an idle host is a single-threaded bottleneck.',
    [12, 7],
    [
      query(
        `1 - sum by (cpu) (${rate('node_cpu_seconds_total', `${ONE.host},mode=~"idle|iowait"`)})`,
        'cpu {{cpu}}',
      ),
    ],
    { unit: 'percentunit', max: 1, legend: 'list', fill: 0 },
  ),
  timeseries(
    'Tasks',
    'Tasks on a CPU or waiting for one, and tasks blocked on disk.',
    [6, 7],
    [
      query(`node_procs_running{${ONE.host}}`, 'running'),
      query(`node_procs_blocked{${ONE.host}}`, 'blocked'),
    ],
    { calcs: ['lastNotNull', 'max'], overrides: [byName('blocked', { color: fixed('red') })] },
  ),
  timeseries(
    'Switches, interrupts, forks',
    'Events per second that cost CPU time outside of programs.',
    [6, 7],
    [
      query(rate('node_context_switches_total'), 'context switches'),
      query(rate('node_intr_total'), 'interrupts'),
      query(rate('node_forks_total'), 'forks'),
    ],
    { unit: 'ops', calcs: ['lastNotNull', 'max'], fill: 0 },
  ),
]);

export const memory = row('Memory', [
  timeseries(
    'Memory utilisation',
    'Used by programs and the kernel, buffers and page cache, free. Cache is given back on demand.',
    [12, 8],
    [
      query(
        ['MemTotal', 'MemFree', 'Buffers', 'Cached', 'SReclaimable']
          .map((kind) => `node_memory_${kind}_bytes{${ONE.host}}`)
          .join(' - '),
        'used',
      ),
      query(`node_memory_Buffers_bytes{${ONE.host}}`, 'buffers'),
      query(
        `node_memory_Cached_bytes{${ONE.host}} + node_memory_SReclaimable_bytes{${ONE.host}}`,
        'cache',
      ),
      query(`node_memory_MemFree_bytes{${ONE.host}}`, 'free'),
    ],
    {
      unit: 'bytes',
      stack: true,
      placement: 'right',
      overrides: [
        byName('used', { color: fixed('orange') }),
        byName('buffers', { color: fixed('purple') }),
        byName('cache', { color: fixed('blue') }),
        byName('free', { color: fixed('green'), 'custom.fillOpacity': 15 }),
      ],
    },
  ),
  timeseries(
    'Memory saturation: paging',
    'Pages read from disk because they were not in memory, and pages moved from and to swap.',
    [6, 8],
    [
      query(rate('node_vmstat_pgmajfault'), 'major faults'),
      query(rate('node_vmstat_pswpin'), 'swap in'),
      query(rate('node_vmstat_pswpout'), 'swap out'),
    ],
    {
      unit: 'ops',
      calcs: ['lastNotNull', 'max'],
      overrides: [byName('swap out', BELOW_ZERO)],
      min: null,
      softMax: 1,
    },
  ),
  timeseries(
    'Memory saturation: pressure',
    'Share of time in which some task, or all tasks, waited for memory (PSI).',
    [6, 8],
    [
      query(rate('node_pressure_memory_waiting_seconds_total'), 'some task waits'),
      query(rate('node_pressure_memory_stalled_seconds_total'), 'all tasks wait'),
    ],
    {
      unit: 'percentunit',
      calcs: ['lastNotNull', 'max'],
      softMax: 0.05,
      overrides: [
        byName('some task waits', { color: fixed('orange') }),
        byName('all tasks wait', { color: fixed('red') }),
      ],
    },
  ),
  timeseries(
    'Swap',
    'Swap in use, against what is configured.',
    [12, 6],
    [
      query(
        `node_memory_SwapTotal_bytes{${ONE.host}} - node_memory_SwapFree_bytes{${ONE.host}}`,
        'used',
      ),
      query(`node_memory_SwapTotal_bytes{${ONE.host}}`, 'configured'),
    ],
    {
      unit: 'bytes',
      overrides: [
        byName('configured', {
          color: fixed('text'),
          'custom.fillOpacity': 0,
          ...DASHED,
        }),
        byName('used', { color: fixed('orange') }),
      ],
    },
  ),
  timeseries(
    'Memory errors',
    'Processes killed for lack of memory, and bit errors the memory controllers saw.',
    [12, 6],
    [
      query(`increase(node_vmstat_oom_kill{${ONE.host}}[$__rate_interval])`, 'killed for memory'),
      query(
        `sum(increase(node_edac_correctable_errors_total{${ONE.host}}[$__rate_interval]))`,
        'corrected bit errors',
      ),
      query(
        `sum(increase(node_edac_uncorrectable_errors_total{${ONE.host}}[$__rate_interval]))`,
        'uncorrected bit errors',
      ),
    ],
    {
      bars: true,
      fill: 80,
      softMax: 1,
      decimals: 0,
      calcs: ['sum', 'max'],
      overrides: [
        byName('killed for memory', { color: fixed('red') }),
        byName('corrected bit errors', { color: fixed('orange') }),
        byName('uncorrected bit errors', { color: fixed('dark-red') }),
      ],
    },
  ),
]);
