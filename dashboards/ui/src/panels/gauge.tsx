/* An arc from minimum to maximum with the thresholds as its outer ring. */
import { paint, thresholdValue } from '../model/color';
import { Empty } from './empty';
import { limitsOf, shareOf, singleValues, type SingleValue } from './single';
import type { PanelProps } from './types';

/* The arc opens downwards: from -120 to 120 degrees, 0 is up. */
const SWEEP = 240;
const RADIUS = 42;
const VALUES_MAX = 16;

function point(share: number, radius: number): string {
  const angle = ((share * SWEEP - SWEEP / 2 - 90) * Math.PI) / 180;
  return `${(50 + radius * Math.cos(angle)).toFixed(3)} ${(50 + radius * Math.sin(angle)).toFixed(3)}`;
}

function arc(from: number, to: number, radius: number): string {
  const large = (to - from) * SWEEP > 180 ? 1 : 0;
  return `M${point(from, radius)}A${radius} ${radius} 0 ${large} 1 ${point(to, radius)}`;
}

export function GaugePanel(props: PanelProps) {
  const values = singleValues(props).slice(0, VALUES_MAX);
  if (values.length === 0) {
    return <Empty {...props} />;
  }
  return (
    <div class="gauges">
      {values.map((value, i) => (
        <Gauge key={i} value={value} all={values} theme={props.theme} named={values.length > 1} />
      ))}
    </div>
  );
}

function Gauge({
  value,
  all,
  theme,
  named,
}: {
  value: SingleValue;
  all: SingleValue[];
  theme: PanelProps['theme'];
  named: boolean;
}) {
  const limits = limitsOf(all, value.config);
  const share = shareOf(value.value, limits);
  const color = paint(value.color, theme);
  const steps = value.config.thresholds?.steps ?? [];
  const bounds = steps.map((s) =>
    shareOf(thresholdValue(s.value, value.config.thresholds, limits.min, limits.max), limits),
  );
  return (
    <figure class="gauge">
      <svg
        viewBox="0 4 100 76"
        role="img"
        aria-label={`${value.name}: ${value.shown.text}${value.shown.suffix}`}
      >
        <path class="gauge-track" d={arc(0, 1, RADIUS - 4)} />
        {share > 0 && <path class="gauge-value" d={arc(0, share, RADIUS - 4)} stroke={color} />}
        {steps.map((step, i) => {
          const end = bounds[i + 1] ?? 1;
          return (
            end > bounds[i]! && (
              <path
                key={i}
                class="gauge-threshold"
                d={arc(bounds[i]!, end, RADIUS + 2.5)}
                stroke={paint(step.color, theme)}
              />
            )
          );
        })}
        <text
          x="50"
          y="56"
          class="gauge-text"
          fill={color}
          font-size={Math.min(
            17,
            94 / (value.shown.text.length + 0.65 * value.shown.suffix.length),
          )}
        >
          {value.shown.text}
          <tspan class="gauge-unit">{value.shown.suffix}</tspan>
        </text>
      </svg>
      {named && <figcaption>{value.name}</figcaption>}
    </figure>
  );
}
