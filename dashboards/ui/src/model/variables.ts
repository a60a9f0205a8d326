/* Template variables of a dashboard: their kinds, their options, and the order to resolve them in.
 *
 * Nothing here asks the server: `parseVariableQuery` says what must be asked, variable_store.ts does
 * the asking.
 */
import { toRegExp } from './color';
import type { VariableModel } from './dashboard';
import { references, type Scope, type VariableValue } from './interpolate';
import { formatDuration, parseDuration, type TimeWindow } from './time';
import { roundInterval } from './step';

export const ALL = '$__all';
const AUTO_INTERVAL = '$__auto';

export interface Option {
  text: string;
  value: string;
}

export interface VariableState {
  model: VariableModel;
  options: Option[];
  /* Chosen values; [ALL] for all. */
  chosen: string[];
  error?: string;
  loading: boolean;
}

/* What a query variable wants from the server. */
export type Ask =
  | { kind: 'label_names'; pattern?: string }
  | { kind: 'label_values'; label: string; match?: string }
  | { kind: 'metrics'; pattern: string }
  | { kind: 'query_result'; expr: string }
  | { kind: 'series'; match: string };

export function parseVariableQuery(text: string): Ask {
  const query = text.trim();
  let m = /^label_names\((?:(.+))?\)\s*$/.exec(query);
  if (m) {
    return { kind: 'label_names', pattern: m[1] };
  }
  m = /^label_values\((?:(.+),\s*)?([a-zA-Z_$][a-zA-Z0-9_$]*)\)\s*$/s.exec(query);
  if (m) {
    return { kind: 'label_values', label: m[2]!, match: m[1]?.trim() || undefined };
  }
  m = /^metrics\((.+)\)\s*$/s.exec(query);
  if (m) {
    return { kind: 'metrics', pattern: m[1]! };
  }
  m = /^query_result\((.+)\)\s*$/s.exec(query);
  if (m) {
    return { kind: 'query_result', expr: m[1]! };
  }
  return { kind: 'series', match: query };
}

export function queryText(model: VariableModel): string {
  const query = model.query;
  const text = typeof query === 'string' ? query : query?.query;
  return text || model.definition || '';
}

/* Options of variables that need no server. */
export function staticOptions(model: VariableModel): Option[] | undefined {
  switch (model.type) {
    case 'custom':
      return splitList(queryText(model)).map((item) => {
        const pair = /^(.+?)\s:\s(.+)$/.exec(item);
        return pair
          ? { text: pair[1]!.trim(), value: pair[2]!.trim() }
          : { text: item, value: item };
      });
    case 'interval': {
      const options = splitList(queryText(model)).map((item) => ({ text: item, value: item }));
      return model.auto ? [{ text: 'auto', value: AUTO_INTERVAL }, ...options] : options;
    }
    case 'datasource':
      return [{ text: 'Sonde', value: 'sonde' }];
    case 'textbox':
    case 'constant': {
      const text = queryText(model);
      return [{ text, value: text }];
    }
    case 'query':
      return undefined;
    default:
      return [];
  }
}

/* Commas separate, "\," does not. */
function splitList(text: string): string[] {
  return (text.match(/(?:\\,|[^,])+/g) ?? [])
    .map((s) => s.replaceAll('\\,', ',').trim())
    .filter(Boolean);
}

/* Regex of the variable: keeps what matches; a group cuts, named groups text and value name
 * them. */
export function filterOptions(
  values: string[],
  pattern: string | undefined,
  sort: number | undefined,
): Option[] {
  const regex = pattern ? toRegExp(pattern) : undefined;
  const seen = new Set<string>();
  const options: Option[] = [];
  for (const raw of values) {
    let option: Option = { text: raw, value: raw };
    if (regex) {
      const m = regex.exec(raw);
      if (!m) {
        continue;
      }
      const value = m.groups?.value ?? m.groups?.text ?? m[1] ?? raw;
      option = { text: m.groups?.text ?? value, value };
    }
    if (!seen.has(option.value)) {
      seen.add(option.value);
      options.push(option);
    }
  }
  return sortOptions(options, sort ?? 0);
}

/* 1 2 alphabetical, 3 4 numerical, 5 6 without case, 7 8 natural; odd ascending, even
 * descending. */
function sortOptions(options: Option[], sort: number): Option[] {
  if (sort === 0) {
    return options;
  }
  const kind = Math.ceil(sort / 2);
  const number = (o: Option) => parseFloat(/-?\d+(\.\d+)?/.exec(o.text)?.[0] ?? 'NaN');
  const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
  const order = (a: Option, b: Option) => {
    switch (kind) {
      case 2:
        return (number(a) || 0) - (number(b) || 0);
      case 3:
        return a.text.toLowerCase() < b.text.toLowerCase() ? -1 : 1;
      case 4:
        return natural.compare(a.text, b.text);
      default:
        return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
    }
  };
  const sorted = [...options].sort(order);
  return sort % 2 === 0 ? sorted.reverse() : sorted;
}

/* What stays chosen when options are known: the wish as far as it exists, else All, else the
 * first. */
export function choose(
  model: VariableModel,
  options: Option[],
  wish: string[] | undefined,
): string[] {
  if (model.type === 'textbox' || model.type === 'constant') {
    return wish && wish.length > 0 ? wish.slice(0, 1) : [options[0]?.value ?? ''];
  }
  const wanted = wish ?? savedChoice(model);
  if (model.includeAll && wanted.includes(ALL)) {
    return [ALL];
  }
  const known = wanted.map((w) => options.find((o) => o.value === w || o.text === w)?.value);
  const kept = known.filter((v): v is string => v !== undefined);
  if (kept.length > 0) {
    return model.multi ? [...new Set(kept)] : kept.slice(0, 1);
  }
  if (model.includeAll && (wanted.length === 0 || model.type === 'query')) {
    return [ALL];
  }
  return options.length > 0 ? [options[0]!.value] : [];
}

function savedChoice(model: VariableModel): string[] {
  const value = model.current?.value;
  return value === undefined || value === ''
    ? []
    : Array.isArray(value)
      ? value.map(String)
      : [String(value)];
}

export function valueOf(state: VariableState, window: TimeWindow): VariableValue {
  const { model, options, chosen } = state;
  const multi = Boolean(model.multi || model.includeAll);
  if (chosen.includes(ALL)) {
    return {
      values: options.map((o) => o.value),
      multi,
      raw: model.allValue || undefined,
      text: 'All',
    };
  }
  if (model.type === 'interval' && chosen[0] === AUTO_INTERVAL) {
    return { values: [autoInterval(model, window)], multi: false };
  }
  const text = chosen.map((v) => options.find((o) => o.value === v)?.text ?? v).join(' + ');
  return { values: chosen, multi, text };
}

function autoInterval(model: VariableModel, window: TimeWindow): string {
  const floor = parseDuration(model.auto_min ?? '10s') ?? 10_000;
  const wanted = (window.to - window.from) / Math.max(1, model.auto_count ?? 30);
  return formatDuration(Math.max(floor, roundInterval(wanted)));
}

export function scopeOf(states: VariableState[], window: TimeWindow, extra: Scope = {}): Scope {
  const scope: Scope = {};
  for (const state of states) {
    scope[state.model.name] = valueOf(state, window);
  }
  return { ...scope, ...extra };
}

/* Variables before those that use them. Circles are left in the order of the file. */
export function dependencyOrder(models: VariableModel[]): VariableModel[] {
  const names = new Set(models.map((m) => m.name));
  const ordered: VariableModel[] = [];
  const visiting = new Set<string>();
  const visit = (model: VariableModel) => {
    if (ordered.includes(model) || visiting.has(model.name)) {
      return;
    }
    visiting.add(model.name);
    for (const name of dependencies(model)) {
      if (names.has(name)) {
        visit(models.find((m) => m.name === name)!);
      }
    }
    ordered.push(model);
  };
  models.forEach(visit);
  return ordered;
}

export function dependencies(model: VariableModel): string[] {
  return references(`${queryText(model)} ${model.regex ?? ''}`).filter(
    (name) => name !== model.name,
  );
}
