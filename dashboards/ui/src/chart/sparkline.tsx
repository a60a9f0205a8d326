/* The small area behind a stat: shape only, no axes, drawn straight onto a canvas. */
import { useEffect, useRef } from 'preact/hooks';
import { withAlpha } from '../model/color';

export interface SparklineProps {
  values: (number | null)[];
  color: string;
  width: number;
  height: number;
  min?: number;
  max?: number;
}

export function Sparkline(props: SparklineProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const node = canvas.current;
    const context = node?.getContext('2d');
    if (node && context) {
      node.width = Math.round(props.width * devicePixelRatio);
      node.height = Math.round(props.height * devicePixelRatio);
      context.scale(devicePixelRatio, devicePixelRatio);
      draw(context, props);
    }
  });
  return <canvas class="sparkline" ref={canvas} aria-hidden="true" />;
}

function draw(
  context: CanvasRenderingContext2D,
  { values, color, width, height, min, max }: SparklineProps,
): void {
  const numbers = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (numbers.length < 2) {
    return;
  }
  const low = Math.min(...numbers, min ?? Infinity);
  const top = Math.max(...numbers);
  // A share between 0 and 1 keeps its meaning only against a fixed scale, but a host at 2 % should
  // still show its shape: never less than a tenth of the scale.
  const high = max === undefined ? top : Math.max(top, low + (max - low) / 10);
  const span = high - low || 1;
  const x = (i: number) => (i / (values.length - 1)) * width;
  const y = (v: number) => height - 1.5 - ((v - low) / span) * (height - 3);
  const line = new Path2D();
  const area = new Path2D();
  let start = -1;
  let last = -1;
  const close = () => {
    if (start >= 0) {
      area.lineTo(x(last), height);
      area.lineTo(x(start), height);
      area.closePath();
    }
    start = -1;
  };
  values.forEach((v, i) => {
    if (v === null || !Number.isFinite(v)) {
      close();
      return;
    }
    if (start < 0) {
      start = i;
      line.moveTo(x(i), y(v));
      area.moveTo(x(i), y(v));
    } else {
      line.lineTo(x(i), y(v));
      area.lineTo(x(i), y(v));
    }
    last = i;
  });
  close();
  const gradient = context.createLinearGradient(0, 0, 0, height);
  gradient.addColorStop(0, withAlpha(color, 0.28));
  gradient.addColorStop(1, withAlpha(color, 0.03));
  context.fillStyle = gradient;
  context.fill(area);
  context.strokeStyle = withAlpha(color, 0.85);
  context.lineWidth = 1.25;
  context.lineJoin = 'round';
  context.stroke(line);
}
