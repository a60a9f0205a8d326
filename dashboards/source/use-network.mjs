/* Utilisation, saturation and errors of the network; the system itself. */
import { BELOW_ZERO, byRegexp, instant, query, row, table, timeseries } from './grafana.mjs';
import { ONE } from './selectors.mjs';

const { rate } = ONE;
export const network = row('Network', [
  timeseries(
    'Network throughput',
    'Bits received (above) and sent (below) per second.',
    [12, 8],
    [
      query(`8 * ${rate('node_network_receive_bytes_total', ONE.nic)}`, '{{device}} in'),
      query(`8 * ${rate('node_network_transmit_bytes_total', ONE.nic)}`, '{{device}} out'),
    ],
    { unit: 'bps', min: null, fill: 20, overrides: [byRegexp('/out$/', BELOW_ZERO)] },
  ),
  timeseries(
    'Packets',
    'Packets received (above) and sent (below) per second.',
    [12, 8],
    [
      query(rate('node_network_receive_packets_total', ONE.nic), '{{device}} in'),
      query(rate('node_network_transmit_packets_total', ONE.nic), '{{device}} out'),
    ],
    { unit: 'pps', min: null, fill: 20, overrides: [byRegexp('/out$/', BELOW_ZERO)] },
  ),
  timeseries(
    'Network saturation',
    'Packets dropped for lack of room, connections that found a full listen queue, and segments sent again.',
    [12, 7],
    [
      query(`sum(${rate('node_network_receive_drop_total', ONE.nic)})`, 'dropped in'),
      query(`sum(${rate('node_network_transmit_drop_total', ONE.nic)})`, 'dropped out'),
      query(rate('node_netstat_TcpExt_ListenDrops'), 'listen queue full'),
      query(rate('node_netstat_Tcp_RetransSegs'), 'TCP sent again'),
    ],
    { unit: 'pps', softMax: 1 },
  ),
  timeseries(
    'Network errors',
    'Damaged packets by interface, and damaged TCP segments and UDP datagrams.',
    [12, 7],
    [
      query(rate('node_network_receive_errs_total', ONE.nic), '{{device}} in'),
      query(rate('node_network_transmit_errs_total', ONE.nic), '{{device}} out'),
      query(rate('node_netstat_Tcp_InErrs'), 'TCP in'),
      query(rate('node_netstat_Udp_InErrors'), 'UDP in'),
    ],
    { unit: 'pps', softMax: 1 },
  ),
  timeseries(
    'TCP connections',
    'Established connections, and connections opened per second.',
    [12, 7],
    [
      query(`node_netstat_Tcp_CurrEstab{${ONE.host}}`, 'established'),
      query(rate('node_netstat_Tcp_ActiveOpens'), 'opened by this host'),
      query(rate('node_netstat_Tcp_PassiveOpens'), 'opened by others'),
    ],
    { overrides: [byRegexp('/opened/', { unit: 'ops' })] },
  ),
  timeseries(
    'Sockets',
    'Sockets in use, and connections that wait out their end.',
    [12, 7],
    [
      query(`node_sockstat_sockets_used{${ONE.host}}`, 'all'),
      query(`node_sockstat_TCP_inuse{${ONE.host}}`, 'TCP'),
      query(`node_sockstat_UDP_inuse{${ONE.host}}`, 'UDP'),
      query(`node_sockstat_TCP_tw{${ONE.host}}`, 'TCP time-wait'),
    ],
    { fill: 0 },
  ),
]);

export const system = row(
  'System',
  [
    table(
      'Host',
      'Kernel and name of the host.',
      [24, 4],
      [
        instant(
          `sum by (nodename, instance, sysname, release, machine) (node_uname_info{${ONE.host}})`,
        ),
      ],
      {
        transformations: [
          {
            id: 'organize',
            options: {
              excludeByName: { Time: true, Value: true },
              indexByName: {
                nodename: 0,
                instance: 1,
                sysname: 2,
                release: 3,
                machine: 4,
              },
              renameByName: {
                nodename: 'Name',
                instance: 'Instance',
                sysname: 'System',
                release: 'Kernel',
                machine: 'Machine',
              },
            },
          },
        ],
      },
    ),
    timeseries(
      'Clock',
      'Offset of the clock from its source.',
      [12, 7],
      [
        query(`node_timex_offset_seconds{${ONE.host}}`, 'offset'),
        query(`node_timex_maxerror_seconds{${ONE.host}}`, 'largest error'),
      ],
      { unit: 's', min: null, fill: 0 },
    ),
    timeseries(
      'Collectors',
      'Time each collector of the agent took.',
      [12, 7],
      [query(`node_scrape_collector_duration_seconds{${ONE.host}}`, '{{collector}}')],
      { unit: 's', legend: 'hidden', fill: 0 },
    ),
  ],
  true,
);
