/* Spans as rows, their time as bars. Only the rows in sight are elements, so that a trace of a
 * hundred thousand spans scrolls like one of ten. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../controls/icons';
import type { SpanRow, Trace } from '../model/trace';
import { durationText } from './look';

/* Part of the trace that the bars show: milliseconds from its start. */
export interface Stretch {
  from: number;
  to: number;
}

const ROW_PX = 26;
/* Rows kept ready above and below those in sight. */
const SPARE_ROWS = 12;
/* Deeper ones are not moved further to the right. */
const DEPTH_SHOWN = 18;
const INDENT_PX = 14;
const TICKS = 4;

interface WaterfallProps {
  trace: Trace;
  shown: number[];
  colors: Map<string, string>;
  stretch: Stretch;
  chosen: number;
  folded: ReadonlySet<string>;
  onChoose: (at: number) => void;
  onFold: (id: string) => void;
}

export function Waterfall(props: WaterfallProps) {
  const { trace, shown, stretch, chosen } = props;
  const list = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const measure = () => {
    const node = list.current!;
    setView({ top: node.scrollTop, height: node.clientHeight });
  };
  useLayoutEffect(() => {
    const observer = new ResizeObserver(measure);
    observer.observe(list.current!);
    return () => observer.disconnect();
  }, []);
  const position = shown.indexOf(chosen);
  useEffect(() => reveal(list.current!, position), [position]);

  const first = Math.max(0, Math.floor(view.top / ROW_PX) - SPARE_ROWS);
  const last = Math.min(shown.length, Math.ceil((view.top + view.height) / ROW_PX) + SPARE_ROWS);
  const onKey = (event: KeyboardEvent) => {
    const handled = keyPress(event.key, props, position);
    if (handled) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  return (
    <section class="waterfall" aria-label="Spans">
      <div class="waterfall-axis" aria-hidden="true">
        <span />
        <div>
          {Array.from({ length: TICKS + 1 }, (_, i) => (
            <span key={i} style={{ left: `${(i / TICKS) * 100}%` }}>
              {durationText(stretch.from + ((stretch.to - stretch.from) * i) / TICKS)}
            </span>
          ))}
        </div>
      </div>
      <div
        class="waterfall-rows"
        ref={list}
        tabIndex={0}
        role="tree"
        aria-label={`Spans of trace ${trace.id}`}
        onScroll={measure}
        onKeyDown={onKey}
      >
        <div style={{ height: `${shown.length * ROW_PX}px`, position: 'relative' }}>
          {shown.slice(first, last).map((at, i) => (
            <Row key={at} {...props} at={at} row={trace.rows[at]!} top={(first + i) * ROW_PX} />
          ))}
        </div>
        {shown.length === 0 && <div class="query-empty">No span matches the filter.</div>}
      </div>
    </section>
  );
}

/* Scrolls just far enough. */
function reveal(node: HTMLElement, position: number): void {
  const top = position * ROW_PX;
  if (
    position >= 0 &&
    (top < node.scrollTop || top + ROW_PX > node.scrollTop + node.clientHeight)
  ) {
    node.scrollTop = top - node.clientHeight / 3;
  }
}

/* Arrows walk through the tree, as file managers do it. */
function keyPress(key: string, props: WaterfallProps, position: number): boolean {
  const { shown, trace, chosen, folded, onChoose, onFold } = props;
  const row = trace.rows[chosen];
  if (key === 'ArrowDown' || key === 'ArrowUp') {
    const next = position < 0 ? 0 : position + (key === 'ArrowDown' ? 1 : -1);
    if (next >= 0 && next < shown.length) {
      onChoose(shown[next]!);
    }
    return true;
  }
  if (row && row.below > 0 && (key === 'ArrowLeft' || key === 'ArrowRight')) {
    if (folded.has(row.span.spanId) === (key === 'ArrowRight')) {
      onFold(row.span.spanId);
    }
    return true;
  }
  return false;
}

interface RowProps extends WaterfallProps {
  at: number;
  row: SpanRow;
  top: number;
}

function Row({ at, row, top, colors, chosen, folded, stretch, onChoose, onFold }: RowProps) {
  const color = colors.get(row.service);
  const id = row.span.spanId;
  const isFolded = folded.has(id);
  return (
    <div
      class={`waterfall-row${at === chosen ? ' chosen' : ''}${row.failed ? ' failed' : ''}`}
      style={{ transform: `translateY(${top}px)` }}
      role="treeitem"
      aria-selected={at === chosen}
      aria-level={row.depth + 1}
      onClick={() => onChoose(at)}
    >
      <div
        class="waterfall-name"
        style={{ paddingLeft: `${Math.min(row.depth, DEPTH_SHOWN) * INDENT_PX + 4}px` }}
      >
        {row.below > 0 ? (
          <button
            type="button"
            class={isFolded ? 'fold folded' : 'fold'}
            aria-label={isFolded ? `Unfold ${row.below} spans` : 'Fold'}
            onClick={(e) => (e.stopPropagation(), onFold(id))}
          >
            <Icon name="chevron" size={12} />
          </button>
        ) : (
          <span class="fold" />
        )}
        <i class="swatch" style={{ background: color }} />
        <b>{row.service}</b>
        <span title={row.span.name}>{row.span.name}</span>
        {isFolded && <small>+{row.below}</small>}
        {row.failed && <Icon name="warning" size={12} />}
      </div>
      <Bar row={row} color={color} stretch={stretch} />
    </div>
  );
}

function Bar({
  row,
  color,
  stretch,
}: {
  row: SpanRow;
  color: string | undefined;
  stretch: Stretch;
}) {
  const length = stretch.to - stretch.from;
  const from = Math.max(0, Math.min(1, (row.startMs - stretch.from) / length));
  const to = Math.max(0, Math.min(1, (row.startMs + row.durationMs - stretch.from) / length));
  const text = durationText(row.durationMs);
  // The duration stands where there is room: behind the bar, else in front of it.
  const place = to < 0.85 ? { left: `${to * 100}%` } : { right: `${(1 - from) * 100}%` };
  const inside = to >= 0.85 && from < 0.15;
  return (
    <div class="waterfall-time">
      <i
        class={row.critical ? 'span-bar critical' : 'span-bar'}
        style={{ left: `${from * 100}%`, width: `${(to - from) * 100}%`, background: color }}
      />
      <span class={inside ? 'inside' : ''} style={inside ? { left: '4px' } : place}>
        {text}
      </span>
    </div>
  );
}
