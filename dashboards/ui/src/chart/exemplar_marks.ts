/* Diamonds on a chart: requests behind its numbers, each a way to a trace. */
import type uPlot from 'uplot';
import { withAlpha } from '../model/color';
import type { Exemplar } from '../model/exemplars';

const SIZE_PX = 5;
const NEAR_PX = 8;

/* An exemplar beyond the axis (a rate and a latency share a panel) stands at its edge. */
function placeOf(u: uPlot, scale: string, exemplar: Exemplar, onCanvas: boolean) {
  const { min, max } = u.scales[scale] ?? {};
  const value = Math.min(max ?? exemplar.value, Math.max(min ?? exemplar.value, exemplar.value));
  return {
    x: u.valToPos(exemplar.time, 'x', onCanvas),
    y: u.valToPos(value, scale, onCanvas),
  };
}

export function drawExemplars(u: uPlot, scale: string, exemplars: Exemplar[], color: string): void {
  const { ctx } = u;
  const size = SIZE_PX * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = withAlpha(color, 0.85);
  ctx.strokeStyle = withAlpha('#000000', 0.5);
  ctx.lineWidth = devicePixelRatio;
  for (const exemplar of exemplars) {
    const { x, y } = placeOf(u, scale, exemplar, true);
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

/* The one under the pointer, whose place is relative to the plot. */
export function exemplarAt(
  u: uPlot,
  scale: string,
  exemplars: Exemplar[],
  left: number,
  top: number,
): Exemplar | undefined {
  let nearest: Exemplar | undefined;
  let best = NEAR_PX;
  for (const exemplar of exemplars) {
    const { x, y } = placeOf(u, scale, exemplar, false);
    const distance = Math.hypot(x - left, y - top);
    if (distance <= best) {
      best = distance;
      nearest = exemplar;
    }
  }
  return nearest;
}
