/* One host by the USE method: for each resource its utilisation, saturation and errors.
 *
 * https://www.brendangregg.com/usemethod.html. The metrics are node_exporter's, which sonde-agent
 * emits too. Expressions are plain on purpose: selectors, rate, aggregations, binary operators.
 */
import {
  BELOW_ZERO,
  bargauge,
  byName,
  byRegexp,
  dashboard,
  datasourceVariable,
  fixed,
  instant,
  query,
  queryVariable,
  row,
  stat,
  steps,
  table,
  timeseries,
} from './grafana.mjs';

const HOST = 'instance="$instance"';
const REAL_DISK = `${HOST},device!~"(loop|ram|zram|sr|fd|dm-|md).*"`;
const REAL_FILESYSTEM = `${HOST},fstype!~"(tmpfs|ramfs|overlay|squashfs|iso9660|autofs|rootfs|nsfs|fuse\\\\..*|devtmpfs|efivarfs)"`;
const REAL_NIC = `${HOST},device!~"(lo|veth.*|docker.*|br-.*|cni.*|cali.*|virbr.*|ifb.*|tap.*)"`;

const rate = (metric, selector = HOST) => `rate(${metric}{${selector}}[$__rate_interval])`;
const CPU_COUNT = `count(node_cpu_seconds_total{${HOST},mode="idle"})`;
const CPU_USED = `1 - avg(${rate('node_cpu_seconds_total', `${HOST},mode="idle"`)}) - avg(${rate('node_cpu_seconds_total', `${HOST},mode="iowait"`)})`;
const MEMORY_USED = `1 - node_memory_MemAvailable_bytes{${HOST}} / node_memory_MemTotal_bytes{${HOST}}`;

const BUSY = steps([null, 'green'], [0.8, 'orange'], [0.95, 'red']);
const WAITING = steps([null, 'green'], [0.1, 'orange'], [0.4, 'red']);
const NONE_IS_GOOD = steps([null, 'green'], [0.001, 'red']);

const overview = row('Overview', [
  stat('CPU used', 'Share of all CPUs that was neither idle nor waiting for disks.', [3, 4],
    [query(CPU_USED, 'CPU')], { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 }),
  stat('Load per CPU', 'Load average of one minute divided by the number of CPUs. Above 1, work waits.', [3, 4],
    [query(`sum(node_load1{${HOST}}) / ${CPU_COUNT}`, 'load')],
    { unit: 'none', decimals: 2, thresholds: steps([null, 'green'], [1, 'orange'], [2, 'red']), min: 0 }),
  stat('Memory used', 'Share of memory that is not available to new work without swapping.', [3, 4],
    [query(MEMORY_USED, 'memory')], { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 }),
  stat('Fullest filesystem', 'Used share of the filesystem with the least room left.', [3, 4],
    [query(`max(1 - node_filesystem_avail_bytes{${REAL_FILESYSTEM}} / node_filesystem_size_bytes{${REAL_FILESYSTEM}})`, 'used')],
    { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 }),
  stat('Busiest disk', 'Share of time in which the busiest disk had at least one request in flight.', [3, 4],
    [query(`max(${rate('node_disk_io_time_seconds_total', REAL_DISK)})`, 'busy')],
    { unit: 'percentunit', decimals: 1, thresholds: BUSY, min: 0, max: 1 }),
  stat('Network', 'Bits received and sent per second, all interfaces that leave the host.', [3, 4],
    [query(`8 * (sum(${rate('node_network_receive_bytes_total', REAL_NIC)}) + sum(${rate('node_network_transmit_bytes_total', REAL_NIC)}))`, 'traffic')],
    { unit: 'bps', decimals: 1, color: 'blue', min: 0 }),
  stat('Errors', 'Network errors and drops per second, plus processes killed for lack of memory.', [3, 4],
    [query(`sum(${rate('node_network_receive_errs_total', REAL_NIC)}) + sum(${rate('node_network_transmit_errs_total', REAL_NIC)}) + sum(${rate('node_network_receive_drop_total', REAL_NIC)}) + sum(${rate('node_network_transmit_drop_total', REAL_NIC)}) + sum(${rate('node_vmstat_oom_kill')})`, 'errors')],
    { unit: 'ops', decimals: 1, thresholds: NONE_IS_GOOD, min: 0 }),
  stat('Uptime', 'Time since the kernel started.', [3, 4],
    [query(`node_time_seconds{${HOST}} - node_boot_time_seconds{${HOST}}`, 'uptime')],
    { unit: 's', decimals: 1, graph: false, color: 'text' }),
]);

const cpu = row('CPU', [
  timeseries('CPU utilisation', 'Where CPU time goes, as a share of all CPUs. Idle is what is missing to 100 %.', [12, 8],
    [query(`avg by (mode) (${rate('node_cpu_seconds_total', `${HOST},mode!="idle"`)})`, '{{mode}}')],
    {
      unit: 'percentunit', stack: true, max: 1, placement: 'right', overrides: [
        byName('user', { color: fixed('blue') }), byName('system', { color: fixed('orange') }),
        byName('iowait', { color: fixed('red') }), byName('steal', { color: fixed('purple') }),
        byName('nice', { color: fixed('green') }), byName('softirq', { color: fixed('yellow') }),
        byName('irq', { color: fixed('semi-dark-yellow') }),
      ],
    }),
  timeseries('CPU saturation: load', 'Tasks that run or wait to run (and tasks that wait for disks), against the number of CPUs.', [6, 8],
    [query(`node_load1{${HOST}}`, '1 min'), query(`node_load5{${HOST}}`, '5 min'),
      query(`node_load15{${HOST}}`, '15 min'), query(CPU_COUNT, 'CPUs')],
    { unit: 'short', calcs: ['lastNotNull', 'max'], fill: 0, overrides: [byName('CPUs', { color: fixed('red'), 'custom.lineStyle': { fill: 'dash', dash: [6, 6] } })] }),
  timeseries('CPU saturation: pressure', 'Share of time in which at least one task waited for a CPU (PSI).', [6, 8],
    [query(rate('node_pressure_cpu_waiting_seconds_total'), 'some task waits')],
    { unit: 'percentunit', calcs: ['lastNotNull', 'max'], softMax: 0.05, overrides: [byName('some task waits', { color: fixed('orange') })] }),
  timeseries('Each CPU', 'Busy share of each CPU. One line at the top of an idle host is a single-threaded bottleneck.', [12, 7],
    [query(`1 - sum by (cpu) (${rate('node_cpu_seconds_total', `${HOST},mode=~"idle|iowait"`)})`, 'cpu {{cpu}}')],
    { unit: 'percentunit', max: 1, legend: 'list', fill: 0 }),
  timeseries('Tasks', 'Tasks on a CPU or waiting for one, and tasks blocked on disk.', [6, 7],
    [query(`node_procs_running{${HOST}}`, 'running'), query(`node_procs_blocked{${HOST}}`, 'blocked')],
    { calcs: ['lastNotNull', 'max'], overrides: [byName('blocked', { color: fixed('red') })] }),
  timeseries('Switches, interrupts, forks', 'Events per second that cost CPU time outside of programs.', [6, 7],
    [query(rate('node_context_switches_total'), 'context switches'), query(rate('node_intr_total'), 'interrupts'),
      query(rate('node_forks_total'), 'forks')],
    { unit: 'ops', calcs: ['lastNotNull', 'max'], fill: 0 }),
]);

const memory = row('Memory', [
  timeseries('Memory utilisation', 'Used by programs and the kernel, buffers and page cache, free. Cache is given back on demand.', [12, 8],
    [
      query(`node_memory_MemTotal_bytes{${HOST}} - node_memory_MemFree_bytes{${HOST}} - node_memory_Buffers_bytes{${HOST}} - node_memory_Cached_bytes{${HOST}} - node_memory_SReclaimable_bytes{${HOST}}`, 'used'),
      query(`node_memory_Buffers_bytes{${HOST}}`, 'buffers'),
      query(`node_memory_Cached_bytes{${HOST}} + node_memory_SReclaimable_bytes{${HOST}}`, 'cache'),
      query(`node_memory_MemFree_bytes{${HOST}}`, 'free'),
    ],
    {
      unit: 'bytes', stack: true, placement: 'right', overrides: [
        byName('used', { color: fixed('orange') }), byName('buffers', { color: fixed('purple') }),
        byName('cache', { color: fixed('blue') }), byName('free', { color: fixed('green'), 'custom.fillOpacity': 15 }),
      ],
    }),
  timeseries('Memory saturation: paging', 'Pages read from disk because they were not in memory, and pages moved from and to swap.', [6, 8],
    [query(rate('node_vmstat_pgmajfault'), 'major faults'), query(rate('node_vmstat_pswpin'), 'swap in'),
      query(rate('node_vmstat_pswpout'), 'swap out')],
    { unit: 'ops', calcs: ['lastNotNull', 'max'], overrides: [byName('swap out', BELOW_ZERO)], min: null, softMax: 1 }),
  timeseries('Memory saturation: pressure', 'Share of time in which some task, or all tasks, waited for memory (PSI).', [6, 8],
    [query(rate('node_pressure_memory_waiting_seconds_total'), 'some task waits'),
      query(rate('node_pressure_memory_stalled_seconds_total'), 'all tasks wait')],
    { unit: 'percentunit', calcs: ['lastNotNull', 'max'], softMax: 0.05, overrides: [byName('some task waits', { color: fixed('orange') }), byName('all tasks wait', { color: fixed('red') })] }),
  timeseries('Swap', 'Swap in use, against what is configured.', [12, 6],
    [query(`node_memory_SwapTotal_bytes{${HOST}} - node_memory_SwapFree_bytes{${HOST}}`, 'used'),
      query(`node_memory_SwapTotal_bytes{${HOST}}`, 'configured')],
    { unit: 'bytes', overrides: [byName('configured', { color: fixed('text'), 'custom.fillOpacity': 0, 'custom.lineStyle': { fill: 'dash', dash: [6, 6] } }), byName('used', { color: fixed('orange') })] }),
  timeseries('Memory errors', 'Processes killed for lack of memory, and bit errors the memory controllers saw.', [12, 6],
    [query(`increase(node_vmstat_oom_kill{${HOST}}[$__rate_interval])`, 'killed for memory'),
      query(`sum(increase(node_edac_correctable_errors_total{${HOST}}[$__rate_interval]))`, 'corrected bit errors'),
      query(`sum(increase(node_edac_uncorrectable_errors_total{${HOST}}[$__rate_interval]))`, 'uncorrected bit errors')],
    { bars: true, fill: 80, softMax: 1, decimals: 0, calcs: ['sum', 'max'], overrides: [byName('killed for memory', { color: fixed('red') }), byName('corrected bit errors', { color: fixed('orange') }), byName('uncorrected bit errors', { color: fixed('dark-red') })] }),
]);

const disk = row('Disk', [
  timeseries('Disk utilisation', 'Share of time with at least one request in flight. Disks with many channels can be at 100 % and still have room.', [8, 8],
    [query(rate('node_disk_io_time_seconds_total', REAL_DISK), '{{device}}')],
    { unit: 'percentunit', max: 1 }),
  timeseries('Disk saturation: queue', 'Requests in flight or waiting, on average.', [8, 8],
    [query(rate('node_disk_io_time_weighted_seconds_total', REAL_DISK), '{{device}}')], { unit: 'short', softMax: 1 }),
  timeseries('Disk saturation: pressure', 'Share of time in which some task, or all tasks, waited for disks (PSI).', [8, 8],
    [query(rate('node_pressure_io_waiting_seconds_total'), 'some task waits'),
      query(rate('node_pressure_io_stalled_seconds_total'), 'all tasks wait')],
    { unit: 'percentunit', calcs: ['lastNotNull', 'mean', 'max'], softMax: 0.05, overrides: [byName('some task waits', { color: fixed('orange') }), byName('all tasks wait', { color: fixed('red') })] }),
  timeseries('Disk throughput', 'Bytes read (above) and written (below) per second.', [8, 8],
    [query(rate('node_disk_read_bytes_total', REAL_DISK), '{{device}} read'),
      query(rate('node_disk_written_bytes_total', REAL_DISK), '{{device}} written')],
    { unit: 'Bps', min: null, overrides: [byRegexp('/written$/', BELOW_ZERO)] }),
  timeseries('Disk operations', 'Requests completed per second: reads (above) and writes (below).', [8, 8],
    [query(rate('node_disk_reads_completed_total', REAL_DISK), '{{device}} reads'),
      query(rate('node_disk_writes_completed_total', REAL_DISK), '{{device}} writes')],
    { unit: 'iops', min: null, overrides: [byRegexp('/writes$/', BELOW_ZERO)] }),
  timeseries('Disk latency', 'Mean time a request took, queue included.', [8, 8],
    [query(`${rate('node_disk_read_time_seconds_total', REAL_DISK)} / ${rate('node_disk_reads_completed_total', REAL_DISK)}`, '{{device}} read'),
      query(`${rate('node_disk_write_time_seconds_total', REAL_DISK)} / ${rate('node_disk_writes_completed_total', REAL_DISK)}`, '{{device}} write')],
    { unit: 's' }),
]);

const filesystem = row('Filesystem', [
  table('Filesystems', 'Room on each filesystem now.', [12, 8],
    [
      instant(`sum by (mountpoint, device, fstype) (node_filesystem_size_bytes{${REAL_FILESYSTEM}})`),
      instant(`sum by (mountpoint, device, fstype) (node_filesystem_avail_bytes{${REAL_FILESYSTEM}})`),
      instant(`sum by (mountpoint, device, fstype) (1 - node_filesystem_avail_bytes{${REAL_FILESYSTEM}} / node_filesystem_size_bytes{${REAL_FILESYSTEM}})`),
      instant(`sum by (mountpoint, device, fstype) (1 - node_filesystem_files_free{${REAL_FILESYSTEM}} / node_filesystem_files{${REAL_FILESYSTEM}})`),
    ],
    {
      unit: 'bytes',
      thresholds: BUSY,
      sortBy: [{ displayName: 'Used', desc: true }],
      transformations: [
        { id: 'merge', options: {} },
        {
          id: 'organize',
          options: {
            excludeByName: { Time: true },
            indexByName: { mountpoint: 0, device: 1, fstype: 2, 'Value #A': 3, 'Value #B': 4, 'Value #C': 5, 'Value #D': 6 },
            renameByName: { mountpoint: 'Mount point', device: 'Device', fstype: 'Type', 'Value #A': 'Size', 'Value #B': 'Available', 'Value #C': 'Used', 'Value #D': 'Inodes used' },
          },
        },
      ],
      overrides: [
        byRegexp('/used$/i', { unit: 'percentunit', min: 0, max: 1, decimals: 1, 'custom.cellOptions': { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' } }),
      ],
    }),
  timeseries('Filesystem utilisation', 'Used share of the room that users may fill.', [12, 8],
    [query(`1 - node_filesystem_avail_bytes{${REAL_FILESYSTEM}} / node_filesystem_size_bytes{${REAL_FILESYSTEM}}`, '{{mountpoint}}')],
    { unit: 'percentunit', max: 1, thresholds: steps([null, 'transparent'], [0.95, 'red']), calcs: ['lastNotNull', 'min', 'max'] }),
  bargauge('Inodes used', 'Used share of the files a filesystem can hold. Full is full, whatever room is left.', [8, 6],
    [query(`1 - node_filesystem_files_free{${REAL_FILESYSTEM}} / node_filesystem_files{${REAL_FILESYSTEM}}`, '{{mountpoint}}')],
    { max: 1, decimals: 1, thresholds: BUSY }),
  stat('Filesystem errors', 'Filesystems that turned read-only or do not answer. Ones mounted read-only on purpose count too.', [8, 6],
    [query(`sum(node_filesystem_readonly{${REAL_FILESYSTEM}})`, 'read-only'),
      query(`sum(node_filesystem_device_error{${REAL_FILESYSTEM}})`, 'not answering')],
    { graph: false, unit: 'none', thresholds: steps([null, 'green'], [1, 'red']), textMode: 'value_and_name' }),
  timeseries('Open files', 'File handles in use in the whole system.', [8, 6],
    [query(`node_filefd_allocated{${HOST}}`, 'open')], { calcs: ['lastNotNull', 'max'] }),
]);

const network = row('Network', [
  timeseries('Network throughput', 'Bits received (above) and sent (below) per second.', [12, 8],
    [query(`8 * ${rate('node_network_receive_bytes_total', REAL_NIC)}`, '{{device}} in'),
      query(`8 * ${rate('node_network_transmit_bytes_total', REAL_NIC)}`, '{{device}} out')],
    { unit: 'bps', min: null, fill: 20, overrides: [byRegexp('/out$/', BELOW_ZERO)] }),
  timeseries('Packets', 'Packets received (above) and sent (below) per second.', [12, 8],
    [query(rate('node_network_receive_packets_total', REAL_NIC), '{{device}} in'),
      query(rate('node_network_transmit_packets_total', REAL_NIC), '{{device}} out')],
    { unit: 'pps', min: null, fill: 20, overrides: [byRegexp('/out$/', BELOW_ZERO)] }),
  timeseries('Network saturation', 'Packets dropped for lack of room, connections that found a full listen queue, and segments sent again.', [12, 7],
    [query(`sum(${rate('node_network_receive_drop_total', REAL_NIC)})`, 'dropped in'),
      query(`sum(${rate('node_network_transmit_drop_total', REAL_NIC)})`, 'dropped out'),
      query(rate('node_netstat_TcpExt_ListenDrops'), 'listen queue full'),
      query(rate('node_netstat_Tcp_RetransSegs'), 'TCP sent again')],
    { unit: 'pps', softMax: 1 }),
  timeseries('Network errors', 'Damaged packets by interface, and damaged TCP segments and UDP datagrams.', [12, 7],
    [query(rate('node_network_receive_errs_total', REAL_NIC), '{{device}} in'),
      query(rate('node_network_transmit_errs_total', REAL_NIC), '{{device}} out'),
      query(rate('node_netstat_Tcp_InErrs'), 'TCP in'), query(rate('node_netstat_Udp_InErrors'), 'UDP in')],
    { unit: 'pps', softMax: 1 }),
  timeseries('TCP connections', 'Established connections, and connections opened per second.', [12, 7],
    [query(`node_netstat_Tcp_CurrEstab{${HOST}}`, 'established'), query(rate('node_netstat_Tcp_ActiveOpens'), 'opened by this host'),
      query(rate('node_netstat_Tcp_PassiveOpens'), 'opened by others')],
    { overrides: [byRegexp('/opened/', { unit: 'ops' })] }),
  timeseries('Sockets', 'Sockets in use, and connections that wait out their end.', [12, 7],
    [query(`node_sockstat_sockets_used{${HOST}}`, 'all'), query(`node_sockstat_TCP_inuse{${HOST}}`, 'TCP'),
      query(`node_sockstat_UDP_inuse{${HOST}}`, 'UDP'), query(`node_sockstat_TCP_tw{${HOST}}`, 'TCP time-wait')], { fill: 0 }),
]);

const pressure = row('Pressure', [
  timeseries('Pressure of all resources', 'Share of time in which some task waited for CPU, memory or disks. The first place to look when a host is slow.', [24, 7],
    [query(rate('node_pressure_cpu_waiting_seconds_total'), 'CPU'),
      query(rate('node_pressure_memory_waiting_seconds_total'), 'memory'),
      query(rate('node_pressure_io_waiting_seconds_total'), 'disk')],
    { unit: 'percentunit', thresholds: WAITING, softMax: 0.1, placement: 'right', overrides: [byName('CPU', { color: fixed('blue') }), byName('memory', { color: fixed('orange') }), byName('disk', { color: fixed('purple') })] }),
]);

const system = row('System', [
  table('Host', 'Kernel and name of the host.', [24, 4],
    [instant(`sum by (nodename, instance, sysname, release, machine) (node_uname_info{${HOST}})`)],
    {
      transformations: [{
        id: 'organize',
        options: {
          excludeByName: { Time: true, Value: true },
          indexByName: { nodename: 0, instance: 1, sysname: 2, release: 3, machine: 4 },
          renameByName: { nodename: 'Name', instance: 'Instance', sysname: 'System', release: 'Kernel', machine: 'Machine' },
        },
      }],
    }),
  timeseries('Clock', 'Offset of the clock from its source.', [12, 7],
    [query(`node_timex_offset_seconds{${HOST}}`, 'offset'), query(`node_timex_maxerror_seconds{${HOST}}`, 'largest error')],
    { unit: 's', min: null, fill: 0 }),
  timeseries('Collectors', 'Time each collector of the agent took.', [12, 7],
    [query(`node_scrape_collector_duration_seconds{${HOST}}`, '{{collector}}')],
    { unit: 's', legend: 'hidden', fill: 0 }),
], true);

export default dashboard({
  uid: 'sonde-host-use',
  title: 'Host: utilisation, saturation, errors',
  description: 'One host by the USE method: CPU, memory, disk, filesystem, network, pressure.',
  tags: ['sonde', 'host', 'use'],
  refresh: '10s',
  from: 'now-30m',
  variables: [
    datasourceVariable(),
    queryVariable('nodename', 'Host', 'label_values(node_uname_info, nodename)', { includeAll: true, allValue: '.+', current: { text: 'All', value: '$__all' } }),
    queryVariable('instance', 'Instance', 'label_values(node_uname_info{nodename=~"$nodename"}, instance)'),
  ],
  rows: [overview, pressure, cpu, memory, disk, filesystem, network, system],
});
