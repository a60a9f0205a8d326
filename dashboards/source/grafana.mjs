/* Small helpers that spell out Grafana's dashboard JSON.
 *
 * Grafana's model repeats itself a lot (data source on each panel and target, grid positions, the
 * full legend and tooltip of each chart). Here each thing is said once; generate.mjs writes the
 * result, which is committed, so that people who only use the dashboards need no tool at all.
 */

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const SCHEMA_VERSION = 42;
const GRID_COLUMNS = 24;

/* A target in time: one line per series of the answer. */
export function query(expr, legendFormat = '__auto', more = {}) {
  return { expr, legendFormat, ...more };
}

/* A target at one moment, as rows of a table. */
export function instant(expr, more = {}) {
  return { expr, instant: true, range: false, format: 'table', ...more };
}

function targets(list) {
  return list.map((target, i) => ({
    datasource: DATASOURCE,
    editorMode: 'code',
    ...target,
    range: target.instant ? false : true,
    refId: String.fromCharCode('A'.charCodeAt(0) + i),
  }));
}

export function steps(...pairs) {
  return { mode: 'absolute', steps: pairs.map(([value, color]) => ({ color, value })) };
}

const CALM = steps([null, 'green']);

function panel(type, title, description, size, list, defaults, overrides, options, more = {}) {
  return {
    type,
    title,
    description,
    size,
    datasource: DATASOURCE,
    targets: targets(list),
    fieldConfig: { defaults, overrides },
    options,
    ...more,
  };
}

export function byName(name, properties) {
  return override('byName', name, properties);
}

export function byRegexp(pattern, properties) {
  return override('byRegexp', pattern, properties);
}

function override(id, options, properties) {
  return {
    matcher: { id, options },
    properties: Object.entries(properties).map(([key, value]) => ({ id: key, value })),
  };
}

export function fixed(color) {
  return { mode: 'fixed', fixedColor: color };
}

/* Drawn below the zero line: what goes out, against what comes in. */
export const BELOW_ZERO = { 'custom.transform': 'negative-Y' };

export function timeseries(title, description, size, list, config = {}) {
  const defaults = {
    color: { mode: 'palette-classic' },
    custom: {
      drawStyle: config.bars ? 'bars' : 'line',
      lineInterpolation: 'linear',
      lineWidth: 1,
      fillOpacity: config.fill ?? (config.stack ? 50 : 10),
      gradientMode: 'none',
      pointSize: 5,
      showPoints: 'never',
      spanNulls: false,
      stacking: { group: 'A', mode: config.stack ? 'normal' : 'none' },
      axisPlacement: 'auto',
      axisLabel: '',
      scaleDistribution: { type: 'linear' },
      thresholdsStyle: { mode: config.thresholds ? 'line' : 'off' },
      ...(config.softMax === undefined ? {} : { axisSoftMax: config.softMax }),
      ...(config.softMin === undefined ? {} : { axisSoftMin: config.softMin }),
    },
    unit: config.unit ?? 'short',
    thresholds: config.thresholds ?? CALM,
    mappings: [],
    ...(config.min === null ? {} : { min: config.min ?? 0 }),
    ...(config.max === undefined ? {} : { max: config.max }),
    ...(config.decimals === undefined ? {} : { decimals: config.decimals }),
  };
  const calcs = config.calcs ?? ['lastNotNull', 'mean', 'max'];
  const options = {
    legend: {
      showLegend: config.legend !== 'hidden',
      displayMode: config.legend === 'hidden' ? 'list' : (config.legend ?? 'table'),
      placement: config.placement ?? 'bottom',
      calcs: config.legend === 'list' || config.legend === 'hidden' ? [] : calcs,
    },
    tooltip: { mode: 'multi', sort: config.sort ?? 'desc' },
  };
  return panel(
    'timeseries',
    title,
    description,
    size,
    list,
    defaults,
    config.overrides ?? [],
    options,
    config.interval === undefined ? {} : { interval: config.interval },
  );
}

export function stat(title, description, size, list, config = {}) {
  const defaults = {
    color: {
      mode: config.color ? 'fixed' : 'thresholds',
      ...(config.color ? { fixedColor: config.color } : {}),
    },
    unit: config.unit ?? 'short',
    thresholds: config.thresholds ?? CALM,
    mappings: config.mappings ?? [],
    ...(config.decimals === undefined ? {} : { decimals: config.decimals }),
    ...(config.min === undefined ? {} : { min: config.min }),
    ...(config.max === undefined ? {} : { max: config.max }),
    ...(config.noValue === undefined ? {} : { noValue: config.noValue }),
  };
  const options = {
    colorMode: config.colorMode ?? 'value',
    graphMode: config.graph === false ? 'none' : 'area',
    justifyMode: 'auto',
    orientation: 'auto',
    textMode: config.textMode ?? 'auto',
    reduceOptions: { calcs: [config.calc ?? 'lastNotNull'], fields: '', values: false },
  };
  return panel('stat', title, description, size, list, defaults, config.overrides ?? [], options, {
    ...(config.interval === undefined ? {} : { interval: config.interval }),
  });
}

export function gauge(title, description, size, list, config = {}) {
  const defaults = {
    color: { mode: 'thresholds' },
    unit: config.unit ?? 'percentunit',
    min: config.min ?? 0,
    max: config.max ?? 1,
    thresholds: config.thresholds ?? CALM,
    mappings: [],
    ...(config.decimals === undefined ? {} : { decimals: config.decimals }),
  };
  const options = {
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    orientation: 'auto',
    showThresholdLabels: false,
    showThresholdMarkers: true,
  };
  return panel('gauge', title, description, size, list, defaults, [], options);
}

export function bargauge(title, description, size, list, config = {}) {
  const defaults = {
    color: { mode: 'thresholds' },
    unit: config.unit ?? 'percentunit',
    min: config.min ?? 0,
    ...(config.max === undefined ? {} : { max: config.max }),
    thresholds: config.thresholds ?? CALM,
    mappings: [],
    ...(config.decimals === undefined ? {} : { decimals: config.decimals }),
  };
  const options = {
    displayMode: 'basic',
    orientation: 'horizontal',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    showUnfilled: true,
    valueMode: 'color',
    namePlacement: 'auto',
    minVizHeight: 14,
    minVizWidth: 8,
    sizing: 'auto',
  };
  return panel(
    'bargauge',
    title,
    description,
    size,
    list,
    defaults,
    config.overrides ?? [],
    options,
  );
}

/* Buckets of a classic histogram, one series per `le`. */
export function heatmap(title, description, size, expr, config = {}) {
  const options = {
    calculate: false,
    cellGap: 1,
    cellValues: { unit: 'short' },
    color: {
      mode: 'opacity',
      fill: 'blue',
      scale: 'exponential',
      exponent: 0.5,
      steps: 64,
      reverse: false,
    },
    legend: { show: false },
    rowsFrame: { layout: 'auto' },
    showValue: 'never',
    tooltip: { mode: 'single', showColorScale: false, yHistogram: false },
    yAxis: { axisPlacement: 'left', reverse: false, unit: config.unit ?? 's' },
  };
  const target = query(expr, '{{le}}', { format: 'heatmap' });
  return panel('heatmap', title, description, size, [target], {}, [], options, {
    interval: config.interval ?? '30s',
  });
}

export function table(title, description, size, list, config = {}) {
  const defaults = {
    color: { mode: 'thresholds' },
    custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false },
    unit: config.unit ?? 'short',
    thresholds: config.thresholds ?? CALM,
    mappings: [],
  };
  const options = {
    showHeader: true,
    cellHeight: 'sm',
    footer: { show: false, reducer: ['sum'], countRows: false, fields: '' },
    sortBy: config.sortBy ?? [],
  };
  return panel('table', title, description, size, list, defaults, config.overrides ?? [], options, {
    transformations: config.transformations ?? [],
  });
}

/* Answers of several instant targets as columns of one table, in this order and under these names; what is
 * `hidden` joins rows and is not shown. */
export function joined(columns, hidden = []) {
  return [
    { id: 'merge', options: {} },
    {
      id: 'organize',
      options: {
        excludeByName: Object.fromEntries(['Time', ...hidden].map((name) => [name, true])),
        indexByName: Object.fromEntries(Object.keys(columns).map((name, i) => [name, i])),
        renameByName: columns,
      },
    },
  ];
}

export function text(title, size, content) {
  return {
    type: 'text',
    title,
    size,
    options: {
      mode: 'markdown',
      content,
      code: { language: 'plaintext', showLineNumbers: false },
    },
  };
}

/* A row with its panels; `collapsed` rows run no query until opened. */
export function row(title, panels, collapsed = false) {
  return { title, panels, collapsed };
}

/* Places panels left to right, wrapping at the grid's width, rows below each other. */
function place(rows) {
  const placed = [];
  let id = 1;
  let top = 0;
  for (const { title, panels, collapsed } of rows) {
    const head = {
      id: id++,
      type: 'row',
      title,
      collapsed,
      gridPos: { h: 1, w: GRID_COLUMNS, x: 0, y: top },
    };
    top += 1;
    let x = 0;
    let y = top;
    let line = 0;
    const children = [];
    for (const { size, ...rest } of panels) {
      const [w, h] = size;
      if (x + w > GRID_COLUMNS) {
        x = 0;
        y += line;
        line = 0;
      }
      children.push({ id: id++, gridPos: { h, w, x, y }, ...rest });
      x += w;
      line = Math.max(line, h);
    }
    placed.push({ ...head, panels: collapsed ? children : [] });
    if (!collapsed) {
      placed.push(...children);
      top = y + line;
    }
  }
  return placed;
}

export function datasourceVariable() {
  return {
    name: 'datasource',
    label: 'Data source',
    type: 'datasource',
    query: 'prometheus',
    current: {},
    hide: 0,
    includeAll: false,
    multi: false,
    options: [],
    refresh: 1,
    regex: '',
  };
}

export function queryVariable(name, label, expression, more = {}) {
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    definition: expression,
    query: {
      qryType: 1,
      query: expression,
      refId: 'PrometheusVariableQueryEditor-VariableQuery',
    },
    current: {},
    hide: 0,
    includeAll: false,
    multi: false,
    options: [],
    refresh: 2,
    regex: '',
    sort: 7,
    ...more,
  };
}

/* A variable of which several values, or all of them, may be chosen. */
export function manyVariable(name, label, expression) {
  return queryVariable(name, label, expression, {
    includeAll: true,
    multi: true,
    allValue: '.+',
    current: { text: ['All'], value: ['$__all'] },
  });
}

export function dashboard({ uid, title, description, tags, variables, rows, refresh, from }) {
  return {
    annotations: {
      list: [
        {
          builtIn: 1,
          datasource: { type: 'grafana', uid: '-- Grafana --' },
          enable: true,
          hide: true,
          iconColor: 'rgba(0, 211, 255, 1)',
          name: 'Annotations & Alerts',
          type: 'dashboard',
        },
      ],
    },
    description,
    editable: false,
    fiscalYearStartMonth: 0,
    graphTooltip: 1,
    links: [
      {
        title: 'Sonde',
        type: 'dashboards',
        tags: ['sonde'],
        asDropdown: true,
        includeVars: false,
        keepTime: true,
      },
    ],
    panels: place(rows),
    refresh,
    schemaVersion: SCHEMA_VERSION,
    tags,
    templating: { list: variables },
    time: { from, to: 'now' },
    timepicker: {},
    timezone: 'browser',
    title,
    uid,
    weekStart: '',
  };
}
