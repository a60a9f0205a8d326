/* The legend below a chart: names with their calculations; click shows one series alone. */
import { useState } from 'preact/hooks';
import { paint, type Theme } from '../model/color';
import type { Series } from '../model/frames';
import { calcLabel, calcUnit, reduce } from '../model/reduce';
import { formatText } from '../model/units';

export interface LegendEntry {
  series: Series;
  index: number;
  color: string;
}

export interface LegendProps {
  entries: LegendEntry[];
  calcs: string[];
  mode: string;
  theme: Theme;
  isVisible: (entry: LegendEntry) => boolean;
  /* `add` when the person holds a modifier: toggles instead of isolating. */
  onPick: (entry: LegendEntry, add: boolean) => void;
}

interface Sort {
  column: number;
  descending: boolean;
}

export function Legend(props: LegendProps) {
  return props.mode === 'table' && props.calcs.length > 0 ? (
    <LegendTable {...props} />
  ) : (
    <LegendList {...props} />
  );
}

function pick(props: LegendProps, entry: LegendEntry) {
  return (event: MouseEvent) =>
    props.onPick(entry, event.ctrlKey || event.metaKey || event.shiftKey);
}

const HINT = 'Click: only this series. With Ctrl: hide or show it.';

function LegendList(props: LegendProps) {
  return (
    <div class="legend-list">
      {props.entries.map((entry) => (
        <button
          type="button"
          key={entry.index}
          class={props.isVisible(entry) ? 'legend-item' : 'legend-item off'}
          title={HINT}
          onClick={pick(props, entry)}
        >
          <Swatch color={paint(entry.color, props.theme)} />
          <span>{entry.series.name}</span>
          {props.calcs.map((calc) => (
            <span class="legend-calc">
              {calcLabel(calc)} <b>{text(entry.series, calc)}</b>
            </span>
          ))}
        </button>
      ))}
    </div>
  );
}

function LegendTable(props: LegendProps) {
  const [sort, setSort] = useState<Sort | undefined>();
  const rows = props.entries.map((entry) => ({
    entry,
    values: props.calcs.map((c) => reduce(entry.series.values, c)),
  }));
  if (sort) {
    const value = (row: (typeof rows)[number]) => row.values[sort.column] ?? -Infinity;
    rows.sort((a, b) => (sort.descending ? value(b) - value(a) : value(a) - value(b)));
  }
  const sortBy = (column: number) =>
    setSort(
      sort?.column === column
        ? sort.descending
          ? { column, descending: false }
          : undefined
        : { column, descending: true },
    );
  return (
    <table class="legend-table">
      <thead>
        <tr>
          <th class="legend-name">
            <span class="visually-hidden">Name</span>
          </th>
          {props.calcs.map((calc, i) => (
            <th
              key={calc}
              aria-sort={
                sort?.column === i ? (sort.descending ? 'descending' : 'ascending') : undefined
              }
            >
              <button type="button" class="legend-sort" onClick={() => sortBy(i)}>
                {calcLabel(calc)}
                {sort?.column === i && (sort.descending ? ' ↓' : ' ↑')}
              </button>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ entry }) => (
          <tr key={entry.index} class={props.isVisible(entry) ? '' : 'off'}>
            <td class="legend-name">
              <button
                type="button"
                class="legend-item"
                title={`${entry.series.name}\n${HINT}`}
                onClick={pick(props, entry)}
              >
                <Swatch color={paint(entry.color, props.theme)} />
                <span>{entry.series.name}</span>
              </button>
            </td>
            {props.calcs.map((calc) => (
              <td key={calc}>{text(entry.series, calc)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Swatch({ color }: { color: string }) {
  return <i class="swatch" style={{ background: color }} />;
}

function text(series: Series, calc: string): string {
  return formatText(
    reduce(series.values, calc),
    calcUnit(calc, series.config.unit),
    series.config.decimals,
  );
}
