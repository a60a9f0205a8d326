/* Horizontal bars, one per series, against a common scale. */
import { paint, withAlpha } from '../model/color';
import { Empty } from './empty';
import { limitsOf, shareOf, singleValues } from './single';
import type { PanelProps } from './types';

const BARS_MAX = 60;

export function BarGaugePanel(props: PanelProps) {
  const values = singleValues(props).slice(0, BARS_MAX);
  if (values.length === 0) {
    return <Empty {...props} />;
  }
  const limits = limitsOf(values, props.panel.defaults);
  return (
    <div class="bars">
      {values.map((value, i) => {
        const color = paint(value.color, props.theme);
        const share = `${(shareOf(value.value, limits) * 100).toFixed(2)}%`;
        return (
          <div class="bar" key={i}>
            <div class="bar-name" title={value.name}>
              {value.name}
            </div>
            <div class="bar-track">
              <div
                class="bar-fill"
                style={{
                  width: share,
                  background: withAlpha(color, 0.35),
                  borderRightColor: color,
                }}
              />
            </div>
            <div class="bar-value" style={{ color }}>
              {value.shown.text}
              {value.shown.suffix}
            </div>
          </div>
        );
      })}
    </div>
  );
}
