/* Tables: rows out of instant queries, and the transformations that dashboards really use.
 *
 * A transformation that is not known is named to the reader instead of being skipped in silence,
 * since what follows would be wrong without it.
 */
import type { FieldConfig, Panel } from './dashboard';
import { resolveField } from './field';
import { formatLegend, formatSeries } from './legend';
import { parseNumber, rawSeries, type TargetResult } from './frames';
import { matches, toRegExp } from './color';
import { reduce } from './reduce';

export type Cell = number | string | null;

export interface Column {
  name: string;
  type: 'time' | 'string' | 'number';
  refId: string;
  cells: Cell[];
  config: FieldConfig;
}

export interface Table {
  columns: Column[];
  rows: number;
  /* Transformations that could not be done. */
  unsupported: string[];
}

type Rows = Record<string, Cell>[];

interface Part {
  refId: string;
  /* Column names in order, with their types. */
  columns: Map<string, Column['type']>;
  rows: Rows;
}

export const ROWS_MAX = 2000;

export function buildTable(results: TargetResult[], panel: Panel): Table {
  const parts = results.map((result) => toPart(result, results.length > 1));
  const unsupported: string[] = [];
  let state = parts;
  for (const transformation of panel.transformations) {
    if (transformation.disabled) {
      continue;
    }
    const apply = TRANSFORMATIONS[transformation.id];
    if (apply) {
      state = apply(state, transformation.options ?? {});
    } else {
      unsupported.push(transformation.id);
    }
  }
  const part = state.length === 1 ? state[0]! : (state.find((p) => p.rows.length > 0) ?? state[0]);
  return part ? finish(part, panel, unsupported) : { columns: [], rows: 0, unsupported };
}

function finish(part: Part, panel: Panel, unsupported: string[]): Table {
  const rows = sortRows(part.rows, panel).slice(0, ROWS_MAX);
  const columns: Column[] = [];
  for (const [name, type] of part.columns) {
    const refId = /^Value #(\w+)$/.exec(name)?.[1] ?? part.refId;
    const config = resolveField(panel.defaults, panel.overrides, { name, refId, type });
    if (!config.custom?.hidden) {
      const cells = rows.map((row) => row[name] ?? null);
      columns.push({ name: config.displayName ?? name, type, refId, cells, config });
    }
  }
  return { columns, rows: rows.length, unsupported };
}

function toPart(result: TargetResult, several: boolean): Part {
  const refId = result.target.refId;
  const columns = new Map<string, Column['type']>([['Time', 'time']]);
  const rows: Rows = [];
  const raw = rawSeries(result.data);
  const value = several ? `Value #${refId}` : 'Value';
  if (result.target.format === 'table') {
    const labels = new Set<string>(raw.flatMap((r) => Object.keys(r.labels)));
    for (const label of [...labels].sort()) {
      columns.set(label, 'string');
    }
    columns.set(value, 'number');
    for (const { labels: own, samples } of raw) {
      const last = samples[samples.length - 1];
      if (last) {
        rows.push({ Time: last[0] * 1000, ...own, [value]: parseNumber(last[1]) });
      }
    }
    return { refId, columns, rows };
  }
  columns.delete('Time');
  columns.set('Metric', 'string');
  columns.set(value, 'number');
  for (const { labels, samples } of raw) {
    const template = result.target.legendFormat;
    const name =
      template && template !== '__auto' ? formatLegend(template, labels) : formatSeries(labels);
    rows.push({
      Metric: name,
      [value]: reduce(
        samples.map(([, v]) => parseNumber(v)),
        'lastNotNull',
      ),
    });
  }
  return { refId, columns, rows };
}

function sortRows(rows: Rows, panel: Panel): Rows {
  const sortBy = (
    panel.options.sortBy as { displayName?: string; desc?: boolean }[] | undefined
  )?.[0];
  return sortBy?.displayName ? sortedBy(rows, sortBy.displayName, Boolean(sortBy.desc)) : rows;
}

export function compareCells(a: Cell, b: Cell): number {
  if (a === null || b === null) {
    return a === b ? 0 : a === null ? -1 : 1;
  }
  return typeof a === 'number' && typeof b === 'number'
    ? a - b
    : String(a).localeCompare(String(b), 'en', { numeric: true });
}

function sortedBy(rows: Rows, column: string, descending: boolean): Rows {
  const sorted = [...rows].sort((x, y) => compareCells(x[column] ?? null, y[column] ?? null));
  return descending ? sorted.reverse() : sorted;
}

type Options = Record<string, any>;

const TRANSFORMATIONS: Record<string, (parts: Part[], options: Options) => Part[]> = {
  merge: (parts) => [merge(parts)],
  organize: (parts, options) => parts.map((part) => organize(part, options)),
  joinByField: (parts, options) => [join(parts, String(options.byField ?? 'Time'))],
  seriesToColumns: (parts, options) => [join(parts, String(options.byField ?? 'Time'))],
  filterFieldsByName: (parts, options) => parts.map((part) => filterFields(part, options)),
  renameByRegex: (parts, options) => parts.map((part) => renameByRegex(part, options)),
  sortBy: (parts, options) => parts.map((part) => sortPart(part, options)),
  groupBy: (parts, options) => parts.map((part) => groupBy(part, options)),
  labelsToFields: (parts) => parts,
};

/* Rows that agree in all columns they share become one. */
function merge(parts: Part[]): Part {
  const filled = parts.filter((p) => p.rows.length > 0);
  const columns = unionColumns(filled.length > 0 ? filled : parts);
  const shared = [...columns.keys()].filter(
    (c) => c !== 'Time' && !c.startsWith('Value') && filled.every((p) => p.columns.has(c)),
  );
  return {
    refId: parts[0]?.refId ?? 'A',
    columns,
    rows: mergeRows(
      filled.flatMap((p) => p.rows),
      shared,
    ),
  };
}

function join(parts: Part[], field: string): Part {
  return {
    refId: parts[0]?.refId ?? 'A',
    columns: unionColumns(parts),
    rows: mergeRows(
      parts.flatMap((p) => p.rows),
      [field],
    ),
  };
}

function unionColumns(parts: Part[]): Map<string, Column['type']> {
  const columns = new Map<string, Column['type']>();
  const all = parts.flatMap((p) => [...p.columns]);
  for (const [name, type] of [
    ...all.filter(([, t]) => t !== 'number'),
    ...all.filter(([, t]) => t === 'number'),
  ]) {
    columns.set(name, type);
  }
  return columns;
}

function mergeRows(rows: Rows, keys: string[]): Rows {
  const byKey = new Map<string, Record<string, Cell>>();
  for (const row of rows) {
    const key = JSON.stringify(keys.map((k) => row[k] ?? null));
    const known = byKey.get(key);
    if (known) {
      Object.assign(known, row);
    } else {
      byKey.set(key, { ...row });
    }
  }
  return [...byKey.values()];
}

function organize(part: Part, options: Options): Part {
  const exclude: Record<string, boolean> = options.excludeByName ?? {};
  const order: Record<string, number> = options.indexByName ?? {};
  const rename: Record<string, string> = options.renameByName ?? {};
  const names = [...part.columns.keys()].filter((name) => !exclude[name]);
  const position = (name: string) => order[name] ?? Number.MAX_SAFE_INTEGER;
  names.sort((a, b) => position(a) - position(b));
  return project(part, names, (name) => rename[name] || name);
}

/* The named columns only, under new names. */
function project(part: Part, names: string[], rename: (name: string) => string): Part {
  const columns = new Map(names.map((name) => [rename(name), part.columns.get(name)!]));
  const rows = part.rows.map((row) =>
    Object.fromEntries(names.map((name) => [rename(name), row[name] ?? null])),
  );
  return { refId: part.refId, columns, rows };
}

function filterFields(part: Part, options: Options): Part {
  const selects = (rule: Options | undefined, name: string): boolean =>
    Boolean(
      rule && ((rule.names ?? []).includes(name) || (rule.pattern && matches(rule.pattern, name))),
    );
  const names = [...part.columns.keys()].filter(
    (name) =>
      (!options.include || selects(options.include, name)) && !selects(options.exclude, name),
  );
  return project(part, names, (name) => name);
}

function renameByRegex(part: Part, options: Options): Part {
  const regex = toRegExp(String(options.regex ?? ''));
  const to = String(options.renamePattern ?? '');
  return regex ? project(part, [...part.columns.keys()], (name) => name.replace(regex, to)) : part;
}

function sortPart(part: Part, options: Options): Part {
  const sort = options.sort?.[0] as { field?: string; desc?: boolean } | undefined;
  return sort?.field
    ? { ...part, rows: sortedBy(part.rows, sort.field, Boolean(sort.desc)) }
    : part;
}

function groupBy(part: Part, options: Options): Part {
  const fields: Record<string, { operation?: string; aggregations?: string[] }> =
    options.fields ?? {};
  const keys = Object.keys(fields).filter(
    (f) => fields[f]!.operation === 'groupby' && part.columns.has(f),
  );
  const folded = Object.keys(fields).filter(
    (f) => fields[f]!.operation === 'aggregate' && part.columns.has(f),
  );
  const columns = new Map<string, Column['type']>(keys.map((k) => [k, part.columns.get(k)!]));
  folded.forEach((f) =>
    fields[f]!.aggregations?.forEach((calc) => columns.set(`${f} (${calc})`, 'number')),
  );
  const groups = new Map<string, Rows>();
  for (const row of part.rows) {
    const key = JSON.stringify(keys.map((k) => row[k] ?? null));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const rows = [...groups.values()].map((members) => {
    const out: Record<string, Cell> = Object.fromEntries(
      keys.map((k) => [k, members[0]![k] ?? null]),
    );
    for (const f of folded) {
      for (const calc of fields[f]!.aggregations ?? []) {
        out[`${f} (${calc})`] = reduce(
          members.map((m) => Number(m[f] ?? NaN)),
          calc,
        );
      }
    }
    return out;
  });
  return { refId: part.refId, columns, rows };
}
