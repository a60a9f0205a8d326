/* Where panels stand: Grafana's grid of 24 columns, rows that fold, panels that repeat.
 *
 * The page does not position panels by pixel. It draws one CSS grid per section (a row and what is
 * below it), so that a folded row simply leaves its section out, and a narrow screen can show the
 * same panels in fewer columns.
 */
import type { GridPos, Panel } from './dashboard';

export interface Section {
  /* The row's panel, or undefined for panels above the first row. */
  row?: Panel;
  panels: Panel[];
}

export const GRID_COLUMNS = 24;
/* Height of a grid unit and the gap between panels, in pixels. */
export const GRID_UNIT = 30;
export const GRID_GAP = 8;

export function sections(panels: Panel[]): Section[] {
  const sorted = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  const result: Section[] = [{ panels: [] }];
  for (const panel of sorted) {
    if (panel.type === 'row') {
      result.push({ row: panel, panels: [...panel.panels] });
    } else {
      result[result.length - 1]!.panels.push(panel);
    }
  }
  return result
    .filter((s) => s.row || s.panels.length > 0)
    .map((s) => ({ ...s, panels: compact(s.panels) }));
}

/* Positions relative to the top of the section, without empty lines between panels. */
function compact(panels: Panel[]): Panel[] {
  const skyline = new Array<number>(GRID_COLUMNS).fill(0);
  const sorted = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  return sorted.map((panel) => {
    const { h } = panel.gridPos;
    const w = Math.min(panel.gridPos.w, GRID_COLUMNS);
    const x = Math.min(panel.gridPos.x, GRID_COLUMNS - w);
    let y = 0;
    for (let column = x; column < x + w; column++) {
      y = Math.max(y, skyline[column]!);
    }
    skyline.fill(y + h, x, x + w);
    return { ...panel, gridPos: { x, y, w, h } };
  });
}

/* The same panels for a narrower screen: `columns` wide, in reading order. Small panels (stats)
 * pair up, others take the whole width. */
export function reflow(panels: Panel[], columns: number): Panel[] {
  let x = 0;
  let y = 0;
  let line = 0;
  const sorted = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  return sorted.map((panel) => {
    const small = panel.type === 'stat' || panel.type === 'gauge';
    const w = small && panel.gridPos.w <= 8 ? Math.floor(columns / 2) : columns;
    if (x + w > columns) {
      x = 0;
      y += line;
      line = 0;
    }
    const h = small ? Math.min(panel.gridPos.h, 4) : panel.gridPos.h;
    const gridPos: GridPos = { x, y, w, h };
    x += w;
    line = Math.max(line, h);
    return { ...panel, gridPos };
  });
}

/* Copies of panels and rows that repeat for each value of a variable. */
export function expandRepeats(panels: Panel[], valuesOf: (variable: string) => string[]): Panel[] {
  const out: Panel[] = [];
  let shift = 0;
  const sorted = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  for (let i = 0; i < sorted.length; i++) {
    const panel = sorted[i]!;
    if (panel.type === 'row' && panel.repeat) {
      const end = nextRow(sorted, i + 1);
      const children = panel.panels.length > 0 ? panel.panels : sorted.slice(i + 1, end);
      shift += repeatRow(out, panel, children, valuesOf(panel.repeat), shift);
      i = panel.panels.length > 0 ? i : end - 1;
    } else if (panel.repeat) {
      shift += repeatPanel(out, panel, valuesOf(panel.repeat), shift);
    } else {
      out.push(moved(panel, shift));
    }
  }
  return out;
}

function nextRow(panels: Panel[], from: number): number {
  const found = panels.findIndex((p, i) => i >= from && p.type === 'row');
  return found === -1 ? panels.length : found;
}

function moved(panel: Panel, dy: number, scope?: Record<string, string>): Panel {
  return {
    ...panel,
    gridPos: { ...panel.gridPos, y: panel.gridPos.y + dy },
    scope: scope ? { ...panel.scope, ...scope } : panel.scope,
    panels: panel.panels.map((child) => moved(child, dy, scope)),
  };
}

/* Ids of copies must differ from all others: they are keys of the page. */
const copyId = (id: number, n: number) => (n === 0 ? id : id + n * 1e6);

function repeatRow(
  out: Panel[],
  row: Panel,
  children: Panel[],
  values: string[],
  shift: number,
): number {
  const height =
    1 + Math.max(0, ...children.map((c) => c.gridPos.y + c.gridPos.h - row.gridPos.y - 1));
  const list = values.length > 0 ? values : [''];
  list.forEach((value, n) => {
    const scope = { [row.repeat!]: value };
    const copy = {
      ...moved(row, shift + n * height, scope),
      id: copyId(row.id, n),
      repeat: undefined,
    };
    const inner = children.map((c) => ({
      ...moved(c, shift + n * height, scope),
      id: copyId(c.id, n),
    }));
    if (row.panels.length > 0) {
      out.push({ ...copy, panels: inner });
    } else {
      out.push(copy, ...inner);
    }
  });
  return (list.length - 1) * height;
}

function repeatPanel(out: Panel[], panel: Panel, values: string[], shift: number): number {
  const list = values.length > 0 ? values : [''];
  const vertical = panel.repeatDirection === 'v';
  const perRow = vertical ? 1 : Math.min(panel.maxPerRow ?? 4, list.length);
  const w = vertical ? panel.gridPos.w : Math.floor(GRID_COLUMNS / perRow);
  list.forEach((value, n) => {
    const copy = moved(panel, shift, { [panel.repeat!]: value });
    out.push({
      ...copy,
      id: copyId(panel.id, n),
      repeat: undefined,
      gridPos: {
        x: vertical ? panel.gridPos.x : (n % perRow) * w,
        y: copy.gridPos.y + Math.floor(n / perRow) * panel.gridPos.h,
        w,
        h: panel.gridPos.h,
      },
    });
  });
  return (Math.ceil(list.length / perRow) - 1) * panel.gridPos.h;
}
