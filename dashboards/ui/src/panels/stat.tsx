/* One large number per series, with its recent shape behind it. */
import { Sparkline } from '../chart/sparkline';
import { paint } from '../model/color';
import { Empty } from './empty';
import { singleValues, type SingleValue } from './single';
import type { PanelProps } from './types';

/* Values beside each other; more are cut off with a remark. */
const VALUES_MAX = 24;

interface StatOptions {
  colorMode?: string;
  graphMode?: string;
  textMode?: string;
  orientation?: string;
}

export function StatPanel(props: PanelProps) {
  const values = singleValues(props).slice(0, VALUES_MAX);
  if (values.length === 0) {
    return <Empty {...props} />;
  }
  const options = props.panel.options as StatOptions;
  const vertical =
    options.orientation === 'horizontal' ||
    (options.orientation !== 'vertical' &&
      props.width < props.height * 1.4 * values.length &&
      props.width < 110 * values.length);
  const width = vertical ? props.width : props.width / values.length;
  const height = vertical ? props.height / values.length : props.height;
  return (
    <div class={vertical ? 'stats vertical' : 'stats'}>
      {values.map((value, i) => (
        <Stat
          key={i}
          value={value}
          options={options}
          several={values.length > 1}
          width={width}
          height={height}
          theme={props.theme}
        />
      ))}
    </div>
  );
}

interface StatProps {
  value: SingleValue;
  options: StatOptions;
  several: boolean;
  width: number;
  height: number;
  theme: PanelProps['theme'];
}

/* Letters are about 0.56 of their size wide. */
const GLYPH = 0.56;

function Stat({ value, options, several, width, height, theme }: StatProps) {
  const color = paint(value.color, theme);
  const textMode = options.textMode ?? 'auto';
  const named =
    textMode === 'value_and_name' || textMode === 'name' || (textMode === 'auto' && several);
  const { text, suffix } = value.shown;
  const glyphs = text.length + suffix.length * 0.62 + 0.5;
  const graph = options.graphMode === 'area' && value.series.values.length > 2;
  const room = height - (named ? 18 : 0);
  const size = Math.max(
    13,
    Math.min(room * (graph ? 0.5 : 0.56), (width - 20) / (glyphs * GLYPH), 44),
  );
  const background = options.colorMode?.startsWith('background');
  const style = background
    ? { background: color, color: '#fff' }
    : { color: options.colorMode === 'none' ? undefined : color };
  return (
    <div class={background ? 'stat filled' : 'stat'} style={style}>
      {graph && !background && (
        <Sparkline
          values={value.series.values}
          color={color}
          width={width}
          height={Math.round(height * 0.42)}
          min={value.config.min}
          max={value.config.max}
        />
      )}
      {textMode !== 'name' && (
        <div class="stat-value" style={{ fontSize: `${size}px` }}>
          {text}
          <span class="stat-unit">{suffix}</span>
        </div>
      )}
      {named && <div class="stat-name">{value.name}</div>}
    </div>
  );
}
