/* What a panel shows, as a file for a spreadsheet. */
import type { Panel } from '../model/dashboard';
import { buildFrame } from '../model/frames';
import { buildTable } from '../model/table';
import type { PanelData } from '../panel_data';

export function csvField(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function panelCsv(panel: Panel, data: PanelData): string {
  const rows: unknown[][] = [];
  if (panel.type === 'table') {
    const table = buildTable(data.results, panel);
    rows.push(table.columns.map((c) => c.name));
    for (let i = 0; i < table.rows; i++) {
      rows.push(table.columns.map((c) => c.cells[i]));
    }
  } else {
    const frame = buildFrame(data.results, panel, data.scope);
    rows.push(['time', ...frame.series.map((s) => s.name)]);
    frame.times.forEach((t, i) =>
      rows.push([new Date(t * 1000).toISOString(), ...frame.series.map((s) => s.values[i])]),
    );
  }
  return rows.map((row) => row.map(csvField).join(',')).join('\n') + '\n';
}

export function downloadCsv(panel: Panel, data: PanelData): void {
  const url = URL.createObjectURL(new Blob([panelCsv(panel, data)], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${panel.title.replace(/[^\w-]+/g, '-') || 'panel'}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}
