/* Data links: addresses that dashboards attach to values, with the row's fields put in.
 *
 * Links to other dashboards are written for Grafana, as /d/<uid>?var-name=value. Those whose uid is
 * served here open here; addresses of http and https open as they are; anything else is no link.
 */
import type { DashboardEntry } from '../api/client';
import { parseUrl } from './url';
import type { TimeRange } from './time';

export interface DataLink {
  title?: string;
  url?: string;
  targetBlank?: boolean;
}

export interface LinkScope {
  /* Fields of the row by their shown names. */
  fields: Record<string, unknown>;
  value: unknown;
  text: string;
  range: TimeRange;
}

export type ResolvedLink =
  | { kind: 'dashboard'; dashboard: string; variables: Record<string, string[]> }
  | { kind: 'address'; href: string };

export function fillLink(url: string, scope: LinkScope): string {
  return url.replace(/\$\{([^}]+)\}/g, (whole, name: string) => {
    const key = name.split(':')[0]!;
    if (key === '__url_time_range') {
      return `from=${encodeURIComponent(scope.range.from)}&to=${encodeURIComponent(scope.range.to)}`;
    }
    if (key === '__value.raw' || key === '__value.numeric') {
      return encodeURIComponent(String(scope.value ?? ''));
    }
    if (key === '__value.text') {
      return encodeURIComponent(scope.text);
    }
    const field = /^__data\.fields(?:\.(\w+)|\["?([^"\]]+)"?\])$/.exec(key);
    return field ? encodeURIComponent(String(scope.fields[(field[1] ?? field[2])!] ?? '')) : whole;
  });
}

export function resolveLink(
  link: DataLink,
  scope: LinkScope,
  dashboards: DashboardEntry[],
): ResolvedLink | undefined {
  const url = fillLink(link.url ?? '', scope);
  const toDashboard = /^\/?d\/([\w-]+)(?:\/[^?]*)?(?:\?(.*))?$/.exec(url);
  if (toDashboard) {
    const entry = dashboards.find((d) => d.uid === toDashboard[1]);
    return (
      entry && {
        kind: 'dashboard',
        dashboard: entry.name,
        variables: parseUrl('/', `?${toDashboard[2] ?? ''}`).variables,
      }
    );
  }
  return /^https?:\/\//.test(url) ? { kind: 'address', href: url } : undefined;
}
