/* The part of Grafana's classic dashboard JSON that this page draws.
 *
 * Files come from exports of many Grafana versions, so everything is optional and `loadDashboard`
 * brings it into one shape: rows[] of old schemas become panels, names of retired panel types are
 * mapped, and each panel has a grid position. Unknown keys are ignored; unknown panel types stay
 * and are drawn as a titled placeholder.
 */

export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Target {
  refId: string;
  expr: string;
  legendFormat?: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  /* Marks of single requests on the chart, each leading to its trace. */
  exemplar?: boolean;
  range?: boolean;
  hide?: boolean;
  interval?: string;
  intervalFactor?: number;
}

export interface ThresholdStep {
  value: number | null;
  color: string;
}

export interface Thresholds {
  mode?: 'absolute' | 'percentage';
  steps: ThresholdStep[];
}

export interface MappingResult {
  text?: string;
  color?: string;
}

export type Mapping =
  | { type: 'value'; options: Record<string, MappingResult> }
  | { type: 'range'; options: { from: number | null; to: number | null; result: MappingResult } }
  | { type: 'regex'; options: { pattern: string; result: MappingResult } }
  | { type: 'special'; options: { match: string; result: MappingResult } };

export interface FieldColor {
  mode: string;
  fixedColor?: string;
}

export interface CellOptions {
  type?: string;
  mode?: string;
}

/* How one field (a series, a column) is shown: defaults of the panel with overrides applied. */
export interface FieldConfig {
  unit?: string;
  decimals?: number;
  min?: number;
  max?: number;
  displayName?: string;
  noValue?: string;
  color?: FieldColor;
  thresholds?: Thresholds;
  mappings?: Mapping[];
  links?: { title?: string; url?: string }[];
  custom?: CustomConfig;
}

export interface CustomConfig {
  drawStyle?: 'line' | 'bars' | 'points';
  lineInterpolation?: string;
  lineWidth?: number;
  lineStyle?: { fill?: string; dash?: number[] };
  fillOpacity?: number;
  showPoints?: string;
  spanNulls?: boolean | number;
  stacking?: { mode?: 'none' | 'normal' | 'percent'; group?: string };
  scaleDistribution?: { type?: string; log?: number };
  thresholdsStyle?: { mode?: string };
  axisPlacement?: string;
  axisLabel?: string;
  axisSoftMin?: number;
  axisSoftMax?: number;
  transform?: string;
  hideFrom?: { viz?: boolean; legend?: boolean; tooltip?: boolean };
  cellOptions?: CellOptions;
  align?: string;
  width?: number;
  hidden?: boolean;
}

export interface Override {
  matcher: { id: string; options?: unknown };
  properties: { id: string; value?: unknown }[];
}

export interface Transformation {
  id: string;
  disabled?: boolean;
  options: Record<string, unknown>;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description: string;
  gridPos: GridPos;
  targets: Target[];
  defaults: FieldConfig;
  overrides: Override[];
  options: Record<string, unknown>;
  transformations: Transformation[];
  interval?: string;
  maxDataPoints?: number;
  timeFrom?: string;
  timeShift?: string;
  repeat?: string;
  repeatDirection?: string;
  maxPerRow?: number;
  collapsed: boolean;
  panels: Panel[];
  transparent: boolean;
  /* Values of variables for this copy of a repeated panel. */
  scope?: Record<string, string>;
}

export interface VariableModel {
  name: string;
  label?: string;
  type: string;
  query?: string | { query?: string };
  definition?: string;
  regex?: string;
  sort?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  hide?: number;
  refresh?: number;
  current?: { text?: string | string[]; value?: string | string[] };
  options?: { text: string; value: string }[];
  auto?: boolean;
  auto_min?: string;
  auto_count?: number;
}

export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  tags: string[];
  panels: Panel[];
  variables: VariableModel[];
  time: { from: string; to: string };
  refresh: string;
  graphTooltip: number;
}

const GRID_COLUMNS = 24;
const DEFAULT_HEIGHT = 8;
const PANELS_MAX = 1000;

/* Panel types that Grafana itself replaced, and what it replaced them with. */
const SUCCESSORS: Record<string, string> = {
  graph: 'timeseries',
  singlestat: 'stat',
  'grafana-singlestat-panel': 'stat',
  'table-old': 'table',
  'grafana-piechart-panel': 'piechart',
};

type Json = Record<string, any>;

export function loadDashboard(raw: unknown): Dashboard {
  if (typeof raw !== 'object' || raw === null) {
    throw new Error('not a dashboard: expected a JSON object');
  }
  let json = raw as Json;
  if (json.dashboard && typeof json.dashboard === 'object') {
    json = json.dashboard; // the shape of Grafana's own API
  }
  if (!Array.isArray(json.panels) && !Array.isArray(json.rows)) {
    throw new Error('not a dashboard of the classic model: it has no panels');
  }
  const list: Json[] =
    Array.isArray(json.rows) && !json.panels?.length ? fromRows(json.rows) : json.panels;
  const variables: VariableModel[] = Array.isArray(json.templating?.list)
    ? json.templating.list
    : [];
  return {
    uid: String(json.uid ?? ''),
    title: String(json.title ?? 'Untitled'),
    description: String(json.description ?? ''),
    tags: Array.isArray(json.tags) ? json.tags.map(String) : [],
    panels: list.slice(0, PANELS_MAX).map(loadPanel),
    variables: variables.filter((v) => v && typeof v.name === 'string'),
    time: { from: String(json.time?.from ?? 'now-1h'), to: String(json.time?.to ?? 'now') },
    refresh: typeof json.refresh === 'string' ? json.refresh : '',
    graphTooltip: Number(json.graphTooltip ?? 0),
  };
}

function loadPanel(raw: Json, index: number): Panel {
  const type = SUCCESSORS[raw.type] ?? String(raw.type ?? 'unknown');
  const grid = raw.gridPos ?? {};
  const defaults: FieldConfig = { ...(raw.fieldConfig?.defaults ?? {}) };
  if (raw.type === 'graph') {
    defaults.unit ??= raw.yaxes?.[0]?.format;
    defaults.custom ??= {
      fillOpacity: 10 * Number(raw.fill ?? 1),
      stacking: { mode: raw.stack ? 'normal' : 'none' },
      spanNulls: raw.nullPointMode === 'connected',
    };
  } else if (raw.type === 'singlestat') {
    defaults.unit ??= raw.format;
  }
  return {
    id: Number(raw.id ?? index + 1),
    type,
    title: String(raw.title ?? ''),
    description: String(raw.description ?? ''),
    gridPos: {
      x: clamp(grid.x, 0, GRID_COLUMNS - 1, 0),
      y: clamp(grid.y, 0, 1e6, 0),
      w: clamp(grid.w, 1, GRID_COLUMNS, GRID_COLUMNS / 2),
      h: clamp(grid.h, 1, 100, DEFAULT_HEIGHT),
    },
    targets: (raw.targets ?? []).map(loadTarget),
    defaults,
    overrides: Array.isArray(raw.fieldConfig?.overrides) ? raw.fieldConfig.overrides : [],
    options: raw.options ?? (raw.content ? { content: raw.content, mode: raw.mode } : {}),
    transformations: Array.isArray(raw.transformations) ? raw.transformations : [],
    interval: raw.interval || undefined,
    maxDataPoints: raw.maxDataPoints || undefined,
    timeFrom: raw.timeFrom || undefined,
    timeShift: raw.timeShift || undefined,
    repeat: raw.repeat || undefined,
    repeatDirection: raw.repeatDirection,
    maxPerRow: raw.maxPerRow,
    collapsed: Boolean(raw.collapsed),
    panels: Array.isArray(raw.panels) ? raw.panels.slice(0, PANELS_MAX).map(loadPanel) : [],
    transparent: Boolean(raw.transparent),
  };
}

function loadTarget(raw: Json, index: number): Target {
  return {
    refId: String(raw.refId ?? String.fromCharCode(65 + index)),
    expr: String(raw.expr ?? ''),
    legendFormat: raw.legendFormat,
    format: raw.format,
    instant: Boolean(raw.instant) && raw.range !== true,
    exemplar: raw.exemplar === true,
    range: raw.range,
    hide: Boolean(raw.hide),
    interval: raw.interval || undefined,
    intervalFactor: raw.intervalFactor,
  };
}

/* Schemas before 16 had rows of panels with a width of at most 12 (`span`) and no positions. */
function fromRows(rows: Json[]): Json[] {
  const panels: Json[] = [];
  let y = 0;
  for (const row of rows) {
    const height = Math.max(2, Math.round(pixels(row.height) / 38));
    const titled = row.showTitle || row.collapse;
    const children: Json[] = [];
    let x = 0;
    let top = y + (titled ? 1 : 0);
    for (const panel of row.panels ?? []) {
      const w = Math.round(2 * Number(panel.span ?? 12));
      if (x + w > GRID_COLUMNS) {
        x = 0;
        top += height;
      }
      children.push({ ...panel, gridPos: { x, y: top, w, h: height } });
      x += w;
    }
    if (titled) {
      panels.push({
        type: 'row',
        title: row.title,
        collapsed: Boolean(row.collapse),
        gridPos: { x: 0, y, w: GRID_COLUMNS, h: 1 },
        panels: row.collapse ? children : [],
      });
    }
    if (!row.collapse) {
      panels.push(...children);
    }
    y = row.collapse ? y + 1 : top + height;
  }
  return panels;
}

function pixels(height: unknown): number {
  const value = parseInt(String(height ?? '250'), 10);
  return Number.isFinite(value) ? value : 250;
}

function clamp(value: unknown, low: number, high: number, fallback: number): number {
  const n = Number(value ?? fallback);
  return Number.isFinite(n) ? Math.min(high, Math.max(low, Math.floor(n))) : fallback;
}
