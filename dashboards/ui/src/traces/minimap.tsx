/* The whole trace at a glance. Dragging shows a part of it in the waterfall, a double click all. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Trace } from '../model/trace';
import { useSize } from '../panels/measure';
import type { Stretch } from './waterfall';

const HEIGHT = 56;
const DRAG_MIN_PX = 4;
const ROW_MAX_PX = 8;

interface MinimapProps {
  trace: Trace;
  colors: Map<string, string>;
  stretch: Stretch;
  onStretch: (stretch: Stretch) => void;
}

export function Minimap({ trace, colors, stretch, onStretch }: MinimapProps) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width } = useSize(host);
  const [drag, setDrag] = useState<{ from: number; to: number } | undefined>();
  const whole = trace.durationMs || 1;
  useEffect(() => {
    if (width > 0) {
      draw(canvas.current!, trace, colors, width);
    }
  }, [trace, colors, width]);

  const at = (event: PointerEvent) => {
    const box = host.current!.getBoundingClientRect();
    return Math.min(width, Math.max(0, event.clientX - box.left));
  };
  const release = () => {
    if (drag && Math.abs(drag.to - drag.from) >= DRAG_MIN_PX) {
      const [a, b] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
      onStretch({ from: (a / width) * whole, to: (b / width) * whole });
    }
    setDrag(undefined);
  };
  const shown = drag
    ? { left: Math.min(drag.from, drag.to), width: Math.abs(drag.to - drag.from) }
    : {
        left: (stretch.from / whole) * width,
        width: ((stretch.to - stretch.from) / whole) * width,
      };
  return (
    <div
      class="trace-minimap"
      ref={host}
      title="Drag to look closer, double click for all"
      onPointerDown={(e) => {
        e.currentTarget.setPointerCapture(e.pointerId);
        setDrag({ from: at(e), to: at(e) });
      }}
      onPointerMove={(e) => drag && setDrag({ ...drag, to: at(e) })}
      onPointerUp={release}
      onPointerCancel={() => setDrag(undefined)}
      onDblClick={() => onStretch({ from: 0, to: whole })}
    >
      <canvas ref={canvas} />
      <i style={{ left: `${shown.left}px`, width: `${shown.width}px` }} />
    </div>
  );
}

/* Each span a line of a pixel at least; failed ones last, so that they are not covered. */
function draw(
  canvas: HTMLCanvasElement,
  trace: Trace,
  colors: Map<string, string>,
  width: number,
): void {
  const ratio = devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  const context = canvas.getContext('2d')!;
  context.scale(ratio, ratio);
  const whole = trace.durationMs || 1;
  const red = getComputedStyle(canvas).getPropertyValue('--red').trim();
  const rowHeight = Math.min(ROW_MAX_PX, HEIGHT / trace.rows.length);
  for (const failed of [false, true]) {
    trace.rows.forEach((row, i) => {
      if (row.failed !== failed) {
        return;
      }
      context.fillStyle = failed ? red : (colors.get(row.service) ?? red);
      context.fillRect(
        (row.startMs / whole) * width,
        i * rowHeight,
        Math.max(1, (row.durationMs / whole) * width),
        Math.max(1, rowHeight - 0.5),
      );
    });
  }
}
