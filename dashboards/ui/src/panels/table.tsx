/* Tables of instant values: sortable, with colours and small gauges in cells. */
import { useMemo, useState } from 'preact/hooks';
import { applyMappings, paint, thresholdColor, withAlpha } from '../model/color';
import { buildTable, compareCells, ROWS_MAX, type Column } from '../model/table';
import { resolveLink, type DataLink, type LinkScope } from '../model/links';
import { formatDateTime } from '../model/time';
import { formatText } from '../model/units';
import { formatUrl } from '../model/url';
import { dashboards, navigate, range } from '../state';
import { Empty } from './empty';
import type { PanelProps } from './types';

interface Sort {
  column: string;
  descending: boolean;
}

export function TablePanel(props: PanelProps) {
  const { panel, data } = props;
  const table = useMemo(() => buildTable(data.results, panel), [data, panel]);
  const [sort, setSort] = useState<Sort | undefined>();
  if (table.rows === 0) {
    return <Empty {...props} />;
  }
  const order = rowOrder(table.columns, table.rows, sort);
  const click = (name: string) =>
    setSort(
      sort?.column === name
        ? sort.descending
          ? undefined
          : { column: name, descending: true }
        : { column: name, descending: false },
    );
  return (
    <div class="table-scroll">
      {table.unsupported.length > 0 && (
        <p class="table-note">
          This table also asks for transformations that are not drawn here:{' '}
          {table.unsupported.join(', ')}.
        </p>
      )}
      <table class="table">
        <thead>
          <tr>
            {table.columns.map((c) => (
              <th
                key={c.name}
                class={c.type === 'number' ? 'number' : ''}
                aria-sort={
                  sort?.column === c.name
                    ? sort.descending
                      ? 'descending'
                      : 'ascending'
                    : undefined
                }
              >
                <button type="button" onClick={() => click(c.name)}>
                  {c.name}
                  {sort?.column === c.name && (sort.descending ? ' ↓' : ' ↑')}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map((row) => (
            <tr key={row}>
              {table.columns.map((c) => (
                <TableCell
                  key={c.name}
                  columns={table.columns}
                  column={c}
                  row={row}
                  theme={props.theme}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {table.rows >= ROWS_MAX && (
        <p class="table-note">Only the first {ROWS_MAX} rows are shown.</p>
      )}
    </div>
  );
}

function rowOrder(columns: Column[], rows: number, sort: Sort | undefined): number[] {
  const order = Array.from({ length: rows }, (_, i) => i);
  const column = columns.find((c) => c.name === sort?.column);
  if (column && sort) {
    const sign = sort.descending ? -1 : 1;
    order.sort((a, b) => sign * compareCells(column.cells[a]!, column.cells[b]!));
  }
  return order;
}

function fieldsOf(columns: Column[], row: number): Record<string, unknown> {
  return Object.fromEntries(columns.map((c) => [c.name, c.cells[row]]));
}

function Linked({ link, scope }: { link: DataLink; scope: LinkScope }) {
  const target = resolveLink(link, scope, dashboards.value ?? []);
  if (!target) {
    return <>{scope.text}</>;
  }
  if (target.kind === 'address') {
    return (
      <a
        class="cell-link"
        href={target.href}
        title={link.title}
        target="_blank"
        rel="noreferrer noopener"
      >
        {scope.text}
      </a>
    );
  }
  const { dashboard, variables } = target;
  const href = formatUrl({
    view: 'dashboard',
    dashboard,
    variables,
    queries: [],
    range: scope.range,
  });
  const open = (event: MouseEvent) => {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      navigate({ view: 'dashboard', dashboard, variables });
    }
  };
  return (
    <a class="cell-link" href={href} title={link.title} onClick={open}>
      {scope.text}
    </a>
  );
}

interface CellProps {
  columns: Column[];
  column: Column;
  row: number;
  theme: PanelProps['theme'];
}

function TableCell({ columns, column, row, theme }: CellProps) {
  const cell = column.cells[row] ?? null;
  const { config } = column;
  if (column.type === 'time') {
    return <td class="nowrap">{typeof cell === 'number' ? formatDateTime(cell) : ''}</td>;
  }
  const number = typeof cell === 'number' ? cell : null;
  const mapped = applyMappings(number, typeof cell === 'string' ? cell : null, config.mappings);
  const text =
    mapped?.text ??
    (column.type === 'number'
      ? formatText(number, config.unit, config.decimals)
      : String(cell ?? ''));
  if (column.type === 'string' && !mapped?.color) {
    const link = config.links?.[0];
    return (
      <td>
        {link ? (
          <Linked
            link={link}
            scope={{ fields: fieldsOf(columns, row), value: cell, text, range: range.value }}
          />
        ) : (
          text
        )}
      </td>
    );
  }
  const color = paint(
    mapped?.color ?? thresholdColor(number, config.thresholds, config.min, config.max),
    theme,
  );
  const kind = config.custom?.cellOptions?.type ?? 'auto';
  if (kind === 'gauge') {
    return <GaugeCell text={text} value={number} column={column} color={color} />;
  }
  const style =
    kind === 'color-text'
      ? { color }
      : kind.startsWith('color-background')
        ? { background: withAlpha(color, 0.28) }
        : undefined;
  return (
    <td class={column.type === 'number' ? 'number' : ''} style={style}>
      {text}
    </td>
  );
}

function GaugeCell({
  text,
  value,
  column,
  color,
}: {
  text: string;
  value: number | null;
  column: Column;
  color: string;
}) {
  const numbers = column.cells.filter((c): c is number => typeof c === 'number');
  const min = column.config.min ?? Math.min(0, ...numbers);
  const max = column.config.max ?? Math.max(...numbers);
  const share =
    value === null || max <= min ? 0 : Math.min(1, Math.max(0, (value - min) / (max - min)));
  return (
    <td class="gauge-cell">
      <div>
        <div class="bar-track">
          <div
            class="bar-fill"
            style={{
              width: `${(share * 100).toFixed(2)}%`,
              background: withAlpha(color, 0.35),
              borderRightColor: color,
            }}
          />
        </div>
        <span style={{ color }}>{text}</span>
      </div>
    </td>
  );
}
