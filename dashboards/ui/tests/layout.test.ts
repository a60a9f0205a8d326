import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDashboard, type Panel } from '../src/model/dashboard';
import { expandRepeats, GRID_COLUMNS, reflow, sections } from '../src/model/layout';

const panel = (
  id: number,
  type: string,
  x: number,
  y: number,
  w: number,
  h: number,
  more = {},
) => ({
  id,
  type,
  title: `p${id}`,
  gridPos: { x, y, w, h },
  ...more,
});

const load = (panels: unknown[]): Panel[] => loadDashboard({ panels }).panels;
const places = (panels: Panel[]) =>
  panels.map((p) => [p.id, p.gridPos.x, p.gridPos.y, p.gridPos.w, p.gridPos.h]);

test('rows make sections, folded ones bring their own panels', () => {
  const result = sections(
    load([
      panel(1, 'stat', 0, 0, 6, 4),
      panel(2, 'row', 0, 4, 24, 1),
      panel(3, 'timeseries', 0, 5, 12, 8),
      panel(4, 'row', 0, 13, 24, 1, { collapsed: true, panels: [panel(5, 'table', 0, 14, 24, 8)] }),
    ]),
  );
  assert.deepEqual(
    result.map((s) => [s.row?.id, s.panels.map((p) => p.id)]),
    [
      [undefined, [1]],
      [2, [3]],
      [4, [5]],
    ],
  );
});

test('positions are relative to the section and without holes', () => {
  const [section] = sections(
    load([
      panel(1, 'stat', 0, 10, 12, 4),
      panel(2, 'stat', 12, 10, 12, 8),
      panel(3, 'stat', 0, 20, 12, 4),
    ]),
  );
  assert.deepEqual(places(section!.panels), [
    [1, 0, 0, 12, 4],
    [2, 12, 0, 12, 8],
    [3, 0, 4, 12, 4],
  ]);
});

test('panels never overlap and never leave the grid', () => {
  const broken = [
    panel(1, 'stat', 20, 0, 12, 4),
    panel(2, 'stat', 0, 0, 24, 4),
    panel(3, 'stat', 0, 0, 24, 4),
  ];
  const [section] = sections(load(broken));
  const taken = new Set<string>();
  for (const { gridPos } of section!.panels) {
    assert.ok(gridPos.x + gridPos.w <= GRID_COLUMNS);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x},${y}`), `${x},${y} twice`);
        taken.add(`${x},${y}`);
      }
    }
  }
});

test('on a phone small panels pair up, others take the width', () => {
  const panels = load([
    panel(1, 'stat', 0, 0, 3, 4),
    panel(2, 'stat', 3, 0, 3, 4),
    panel(3, 'stat', 6, 0, 3, 4),
    panel(4, 'timeseries', 0, 4, 12, 8),
  ]);
  assert.deepEqual(places(reflow(panels, 4)), [
    [1, 0, 0, 2, 4],
    [2, 2, 0, 2, 4],
    [3, 0, 4, 2, 4],
    [4, 0, 8, 4, 8],
  ]);
});

test('a panel repeats for each value', () => {
  const panels = load([
    panel(1, 'stat', 0, 0, 24, 4, { repeat: 'host', maxPerRow: 2 }),
    panel(2, 'stat', 0, 4, 24, 4),
  ]);
  const expanded = expandRepeats(panels, () => ['a', 'b', 'c']);
  assert.deepEqual(
    expanded.map((p) => [p.scope?.host, p.gridPos.x, p.gridPos.y, p.gridPos.w]),
    [
      ['a', 0, 0, 12],
      ['b', 12, 0, 12],
      ['c', 0, 4, 12],
      [undefined, 0, 8, 24],
    ],
  );
  assert.equal(new Set(expanded.map((p) => p.id)).size, 4);
});

test('a row repeats with its panels', () => {
  const panels = load([
    panel(1, 'row', 0, 0, 24, 1, { repeat: 'host' }),
    panel(2, 'stat', 0, 1, 24, 4),
    panel(3, 'row', 0, 5, 24, 1),
  ]);
  const result = sections(expandRepeats(panels, () => ['a', 'b']));
  assert.deepEqual(
    result.map((s) => [s.row?.scope?.host, s.panels.map((p) => p.scope?.host)]),
    [
      ['a', ['a']],
      ['b', ['b']],
      [undefined, []],
    ],
  );
});

test('old files: rows of spans, graph and singlestat', () => {
  const { panels } = loadDashboard({
    rows: [
      {
        title: 'R',
        showTitle: true,
        height: '250px',
        panels: [
          { id: 1, type: 'graph', span: 6, yaxes: [{ format: 'bytes' }] },
          { id: 2, type: 'singlestat', span: 6, format: 's' },
        ],
      },
    ],
  });
  assert.deepEqual(
    panels.map((p) => [p.type, p.gridPos.x, p.gridPos.w, p.defaults.unit]),
    [
      ['row', 0, 24, undefined],
      ['timeseries', 0, 12, 'bytes'],
      ['stat', 12, 12, 's'],
    ],
  );
});

test('what is no dashboard is refused with a sentence', () => {
  for (const bad of [null, 1, 'x', {}, { title: 'no panels' }]) {
    assert.throws(() => loadDashboard(bad), /not a dashboard/);
  }
});
