/* What counts as a host's disk, filesystem or network interface, and what is said with thresholds:
 * shared by the dashboards of one host and of all. */
import { steps } from './grafana.mjs';

const NOT_DISKS = '(loop|ram|zram|sr|fd|dm-|md).*';
const NOT_FILESYSTEMS = [
  'tmpfs',
  'ramfs',
  'overlay',
  'squashfs',
  'iso9660',
  'autofs',
  'rootfs',
  'nsfs',
  'fuse\\\\..*',
  'devtmpfs',
  'efivarfs',
];
const NOT_INTERFACES = [
  'lo',
  'veth.*',
  'docker.*',
  'br-.*',
  'cni.*',
  'cali.*',
  'virbr.*',
  'ifb.*',
  'tap.*',
];

/* Selectors for the given matcher of instances. */
export function selectors(host) {
  return {
    host,
    disk: `${host},device!~"${NOT_DISKS}"`,
    filesystem: `${host},fstype!~"(${NOT_FILESYSTEMS.join('|')})"`,
    nic: `${host},device!~"(${NOT_INTERFACES.join('|')})"`,
    rate: (metric, selector = host) => `rate(${metric}{${selector}}[$__rate_interval])`,
  };
}

/* The one host that is chosen. */
export const ONE = selectors('instance="$instance"');
/* All hosts that are chosen. */
export const MANY = selectors('instance=~"$instance"');

/* Used share of each filesystem. */
export const filesystemUsed = ({ filesystem }) =>
  `1 - node_filesystem_avail_bytes{${filesystem}} / node_filesystem_size_bytes{${filesystem}}`;

export const inodesUsed = ({ filesystem }) =>
  `1 - node_filesystem_files_free{${filesystem}} / node_filesystem_files{${filesystem}}`;

export const sumOf = (...terms) => terms.join(' + ');

export const BUSY = steps([null, 'green'], [0.8, 'orange'], [0.95, 'red']);
export const WAITING = steps([null, 'green'], [0.1, 'orange'], [0.4, 'red']);
export const NONE_IS_GOOD = steps([null, 'green'], [0.001, 'red']);
export const DASHED = { 'custom.lineStyle': { fill: 'dash', dash: [6, 6] } };
