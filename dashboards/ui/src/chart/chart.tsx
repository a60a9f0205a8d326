/* A uPlot chart as a component: made anew when its shape changes, fed when only data change. */
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { thresholdValue, paint, withAlpha, type Theme } from '../model/color';
import type { Thresholds } from '../model/dashboard';
import type { Exemplar } from '../model/exemplars';
import { chartColors, chartOptions, scaleKey, type ChartModel } from './options';
import { drawExemplars, exemplarAt } from './exemplar_marks';
import { hideTooltip, showExemplar, showTooltip } from './tooltip';

export interface ChartProps {
  model: ChartModel;
  width: number;
  height: number;
  theme: Theme;
  from: number;
  to: number;
  syncKey?: string;
  tooltip: { mode: string; sort: string };
  thresholds?: { config: Thresholds; style: string };
  exemplars?: Exemplar[];
  onExemplar?: (exemplar: Exemplar) => void;
  onZoom?: (fromMs: number, toMs: number) => void;
  onFocus?: (index: number | undefined) => void;
}

/* A drag shorter than this is a click. */
const DRAG_MIN_PX = 6;

/* What must agree for data to be fed into an existing chart. */
function shapeOf(props: ChartProps): string {
  const series = props.model.shown.map((s) => [
    s.series.name,
    s.color,
    s.series.config,
    s.series.values.length > 1,
  ]);
  return JSON.stringify([props.theme, props.syncKey, series, props.thresholds]);
}

export function Chart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const shape = useMemo(
    () => shapeOf(props),
    [props.model, props.theme, props.syncKey, props.thresholds?.style],
  );

  useLayoutEffect(() => {
    const node = host.current!;
    const options = chartOptions({
      ...latest.current,
      css: chartColors(node),
      model: latest.current.model,
    });
    const u = new uPlot(
      {
        ...options,
        scales: {
          ...options.scales,
          x: { time: true, range: () => [latest.current.from, latest.current.to] },
        },
        hooks: hooks(latest),
      },
      latest.current.model.data,
      node,
    );
    chart.current = u;
    return () => {
      hideTooltip();
      u.destroy();
      chart.current = undefined;
    };
  }, [shape]);

  useEffect(() => {
    chart.current?.setData(props.model.data);
  }, [props.model.data, props.exemplars, props.from, props.to]);

  useEffect(() => {
    const u = chart.current;
    if (u && (u.width !== props.width || u.height !== props.height)) {
      u.setSize({ width: props.width, height: props.height });
    }
  }, [props.width, props.height]);

  const onKey = (event: KeyboardEvent) => moveCursor(event, chart.current, latest.current);
  return (
    <div
      class="chart"
      ref={host}
      tabIndex={0}
      role="img"
      aria-label={describe(props)}
      onKeyDown={onKey}
      onBlur={hideTooltip}
    />
  );
}

function describe({ model }: ChartProps): string {
  const names = model.shown.slice(0, 12).map((s) => s.series.name);
  return `Chart of ${model.shown.length} series: ${names.join(', ')}. Arrow keys move the cursor.`;
}

/* Arrow keys read the chart sample by sample. */
function moveCursor(event: KeyboardEvent, u: uPlot | undefined, props: ChartProps): void {
  const delta = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!u || delta === undefined || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  const times = props.model.data[0];
  const start = u.cursor.idx ?? (delta > 0 ? -1 : times.length);
  const index = Math.min(times.length - 1, Math.max(0, start + delta * (event.shiftKey ? 10 : 1)));
  const left = u.valToPos(times[index]!, 'x');
  u.setCursor({ left, top: u.bbox.height / devicePixelRatio / 2 });
  const area = u.over.getBoundingClientRect();
  show(u, props, index, undefined, area.left + left, area.top + area.height / 2);
}

function show(
  u: uPlot,
  props: ChartProps,
  index: number,
  focused: number | undefined,
  x: number,
  y: number,
): void {
  if (props.tooltip.mode === 'none' || props.model.shown.length === 0) {
    return;
  }
  showTooltip({
    model: props.model,
    times: u.data[0] as number[],
    index,
    focused,
    mode: props.tooltip.mode,
    sort: props.tooltip.sort,
    theme: props.theme,
    x,
    y,
  });
}

function hooks(latest: { current: ChartProps }): uPlot.Hooks.Arrays {
  let focused: number | undefined;
  let inside = false;
  return {
    ready: [
      (u) => {
        u.over.addEventListener('mouseenter', () => (inside = true));
        u.over.addEventListener('mouseleave', () => {
          inside = false;
          hideTooltip();
        });
        u.over.addEventListener('click', () => {
          const exemplar = underCursor(u, latest.current);
          if (exemplar) {
            latest.current.onExemplar?.(exemplar);
          }
        });
      },
    ],
    setSeries: [
      (_, index) => {
        focused = index === null || index === 0 ? undefined : index - 1;
      },
    ],
    setCursor: [
      (u) => {
        const { idx, left, top } = u.cursor;
        if (!inside) {
          return;
        }
        const exemplar = underCursor(u, latest.current);
        u.over.classList.toggle('on-exemplar', exemplar !== undefined);
        if (exemplar) {
          const area = u.over.getBoundingClientRect();
          showExemplar(exemplar, latest.current.model, area.left + left!, area.top + (top ?? 0));
          return;
        }
        if (idx === null || idx === undefined || left === undefined || left < 0) {
          hideTooltip();
          return;
        }
        const area = u.over.getBoundingClientRect();
        show(u, latest.current, idx, focused, area.left + left, area.top + (top ?? 0));
      },
    ],
    setSelect: [
      (u) => {
        const { left, width } = u.select;
        if (width >= DRAG_MIN_PX) {
          const from = u.posToVal(left, 'x') * 1000;
          const to = u.posToVal(left + width, 'x') * 1000;
          latest.current.onZoom?.(Math.round(from), Math.round(to));
        }
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      },
    ],
    drawClear: [(u) => drawThresholds(u, latest.current, 'area')],
    draw: [
      (u) => drawThresholds(u, latest.current, 'line'),
      (u) => {
        const { exemplars, theme, model } = latest.current;
        if (exemplars && exemplars.length > 0) {
          drawExemplars(u, firstScale(model), exemplars, paint('blue', theme));
        }
      },
    ],
  };
}

const firstScale = (model: ChartModel) => scaleKey(model.shown[0]?.series.config ?? {});

function underCursor(u: uPlot, { exemplars, model }: ChartProps): Exemplar | undefined {
  const { left, top } = u.cursor;
  return exemplars && left !== undefined && top !== undefined && left >= 0
    ? exemplarAt(u, firstScale(model), exemplars, left, top)
    : undefined;
}

function drawThresholds(u: uPlot, props: ChartProps, kind: 'area' | 'line'): void {
  const { thresholds, model, theme } = props;
  const config = model.shown[0]?.series.config;
  if (!thresholds || !config || !thresholds.style.includes(kind)) {
    return;
  }
  const scale = u.scales[scaleKey(config)];
  const low = scale?.min ?? 0;
  const high = scale?.max ?? 1;
  const { ctx, bbox } = u;
  const steps = thresholds.config.steps;
  ctx.save();
  steps.forEach((step, i) => {
    const color = paint(step.color, theme);
    const value = thresholdValue(step.value, thresholds.config, low, high);
    if (color === 'transparent' || value > high) {
      return;
    }
    const y = u.valToPos(Math.max(value, low), scaleKey(config), true);
    if (kind === 'area') {
      const next = steps[i + 1];
      const top = next
        ? Math.min(thresholdValue(next.value, thresholds.config, low, high), high)
        : high;
      const yTop = u.valToPos(top, scaleKey(config), true);
      ctx.fillStyle = withAlpha(color, 0.1);
      ctx.fillRect(bbox.left, yTop, bbox.width, y - yTop);
    } else if (value > low) {
      ctx.strokeStyle = withAlpha(color, 0.75);
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
  });
  ctx.restore();
}
