/* One host by the USE method: for each resource its utilisation, saturation and errors.
 *
 * https://www.brendangregg.com/usemethod.html. The metrics are node_exporter's, which sonde-agent
 * emits too. Expressions are plain on purpose: selectors, rate, aggregations, binary operators.
 */
import { dashboard, datasourceVariable, queryVariable } from './grafana.mjs';
import { cpu, memory } from './use-compute.mjs';
import { network, system } from './use-network.mjs';
import { overview, pressure } from './use-overview.mjs';
import { disk, filesystem } from './use-storage.mjs';

export default dashboard({
  uid: 'sonde-host-use',
  title: 'Host: utilisation, saturation, errors',
  description: 'One host by the USE method: CPU, memory, disk, filesystem, network, pressure.',
  tags: ['sonde', 'host', 'use'],
  refresh: '10s',
  from: 'now-30m',
  variables: [
    datasourceVariable(),
    queryVariable('nodename', 'Host', 'label_values(node_uname_info, nodename)', {
      includeAll: true,
      allValue: '.+',
      current: { text: 'All', value: '$__all' },
    }),
    queryVariable(
      'instance',
      'Instance',
      'label_values(node_uname_info{nodename=~"$nodename"}, instance)',
    ),
  ],
  rows: [overview, pressure, cpu, memory, disk, filesystem, network, system],
});
