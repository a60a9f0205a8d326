/* The box beside the cursor: time and values of all series, the nearest first in weight.
 *
 * One box for the whole page, built with plain DOM calls: it changes with each move of the pointer,
 * and a virtual DOM would only be in the way.
 */
import { paint, type Theme } from '../model/color';
import type { Exemplar } from '../model/exemplars';
import { formatDateTime } from '../model/time';
import { formatText } from '../model/units';
import { isHidden } from '../model/field';
import type { ChartModel } from './options';

/* Rows of the box; the rest is counted. */
const ROWS_MAX = 24;
const DISTANCE_PX = 14;

let box: HTMLElement | undefined;

function element(tag: string, className: string, text = ''): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

export interface TooltipInput {
  model: ChartModel;
  times: number[];
  index: number;
  /* Position in `model.shown` of the series under the pointer. */
  focused: number | undefined;
  mode: string;
  sort: string;
  theme: Theme;
  /* Pointer in the page. */
  x: number;
  y: number;
}

export function showTooltip(input: TooltipInput): void {
  showBox(content(input), input.x, input.y);
}

/* What an exemplar says: its value, whose it is, and that a click opens the trace. */
export function showExemplar(exemplar: Exemplar, model: ChartModel, x: number, y: number): void {
  const config = model.shown[0]?.series.config;
  const line = (name: string, value: string) => {
    const row = element('div', 'chart-tooltip-row');
    row.append(
      element('span', 'chart-tooltip-name', name),
      element('b', 'chart-tooltip-value', value),
    );
    return row;
  };
  const labels = Object.entries({ ...exemplar.series, ...exemplar.labels });
  const rows = labels.filter(([name]) => name !== '__name__').slice(0, ROWS_MAX);
  showBox(
    [
      element('div', 'chart-tooltip-time', formatDateTime(exemplar.time * 1000)),
      line('value', formatText(exemplar.value, config?.unit, config?.decimals)),
      ...rows.map(([name, value]) => line(name, value)),
      element('div', 'chart-tooltip-more', 'click opens the trace'),
    ],
    x,
    y,
  );
}

function showBox(rows: HTMLElement[], x: number, y: number): void {
  box ??= document.body.appendChild(element('div', 'chart-tooltip'));
  box.replaceChildren(...rows);
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const right = x + DISTANCE_PX + width < innerWidth - 4;
  const left = right ? x + DISTANCE_PX : Math.max(4, x - DISTANCE_PX - width);
  const top = Math.min(Math.max(4, y + DISTANCE_PX), Math.max(4, innerHeight - height - 4));
  box.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}

export function hideTooltip(): void {
  if (box) {
    box.hidden = true;
  }
}

interface Row {
  at: number;
  value: number;
}

function content(input: TooltipInput): HTMLElement[] {
  const rows: Row[] = [];
  input.model.shown.forEach(({ series }, at) => {
    const value = series.values[input.index];
    const single = input.mode === 'single' && at !== input.focused;
    if (
      value !== null &&
      value !== undefined &&
      !single &&
      !isHidden(series.config.custom, 'tooltip')
    ) {
      rows.push({ at, value });
    }
  });
  if (input.sort === 'desc' || input.sort === 'asc') {
    rows.sort((a, b) => (input.sort === 'desc' ? b.value - a.value : a.value - b.value));
  }
  const head = element(
    'div',
    'chart-tooltip-time',
    formatDateTime(input.times[input.index]! * 1000),
  );
  const list = rows.slice(0, ROWS_MAX).map((row) => rowElement(row, input));
  if (rows.length > ROWS_MAX) {
    list.push(element('div', 'chart-tooltip-more', `and ${rows.length - ROWS_MAX} more`));
  }
  if (rows.length === 0) {
    list.push(element('div', 'chart-tooltip-more', 'no sample here'));
  }
  return [head, ...list];
}

function rowElement({ at, value }: Row, input: TooltipInput): HTMLElement {
  const { series, color } = input.model.shown[at]!;
  const row = element(
    'div',
    at === input.focused ? 'chart-tooltip-row focused' : 'chart-tooltip-row',
  );
  const swatch = element('i', 'swatch');
  swatch.style.background = paint(color, input.theme);
  row.append(
    swatch,
    element('span', 'chart-tooltip-name', series.name),
    element(
      'b',
      'chart-tooltip-value',
      formatText(value, series.config.unit, series.config.decimals),
    ),
  );
  return row;
}
