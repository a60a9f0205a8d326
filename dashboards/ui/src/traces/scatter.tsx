/* Duration against time, a dot for each trace found: the slow and the failed stand out. */
import { useRef } from 'preact/hooks';
import type { Theme } from '../model/color';
import { formatDateTime } from '../model/time';
import type { FoundTrace } from '../model/trace_search';
import { useSize } from '../panels/measure';
import { navigate } from '../state';
import { durationText, serviceColors } from './look';

const HEIGHT = 130;
const LEFT = 62;
const EDGE = 10;

interface ScatterProps {
  traces: FoundTrace[];
  from: number;
  to: number;
  theme: Theme;
}

export function Scatter({ traces, from, to, theme }: ScatterProps) {
  const host = useRef<HTMLDivElement>(null);
  const { width } = useSize(host);
  const colors = serviceColors([...new Set(traces.map((t) => t.service))].sort(), theme);
  const longest = Math.max(...traces.map((t) => t.durationMs), 1);
  const x = (t: number) => LEFT + ((t - from) / (to - from)) * (width - LEFT - EDGE);
  const y = (ms: number) => HEIGHT - EDGE - (ms / longest) * (HEIGHT - 2 * EDGE);
  return (
    <div class="trace-scatter" ref={host}>
      {width > 0 && (
        <svg width={width} height={HEIGHT} role="img" aria-label="Durations over time">
          {[0, 0.5, 1].map((share) => (
            <g key={share}>
              <line x1={LEFT} x2={width - EDGE} y1={y(share * longest)} y2={y(share * longest)} />
              <text x={LEFT - 8} y={y(share * longest) + 4}>
                {durationText(share * longest)}
              </text>
            </g>
          ))}
          {traces.map((t) => (
            <circle
              key={t.id}
              class={t.failed > 0 ? 'failed' : ''}
              cx={x(t.startMs)}
              cy={y(t.durationMs)}
              r={4.5}
              fill={colors.get(t.service)}
              onClick={() => navigate({ trace: t.id, span: undefined })}
            >
              <title>
                {`${formatDateTime(t.startMs)}  ${durationText(t.durationMs)}\n${t.service}: ${t.name}`}
              </title>
            </circle>
          ))}
        </svg>
      )}
    </div>
  );
}
