/* One trace: facts, the whole as a small picture, the waterfall, and the span that is chosen. */
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import { openTrace } from '../api/traces';
import { Icon } from '../controls/icons';
import { formatDateTime } from '../model/time';
import { shownRows, traceModel, type Trace } from '../model/trace';
import { forced, navigate, page, refreshNow, theme, update } from '../state';
import { countText, durationText, serviceColors } from './look';
import { Minimap } from './minimap';
import { SpanDetails } from './span_details';
import { useAnswer } from './use_answer';
import { Waterfall, type Stretch } from './waterfall';

export function TraceView({ id }: { id: string }) {
  const answer = useAnswer(`${id}/${forced.value}`, (signal) => openTrace(id, signal));
  const trace = useMemo(() => answer.value && traceModel(id, answer.value), [answer.value]);
  return (
    <main class="traces" data-state={answer.error ? 'error' : trace ? 'data' : 'waiting'}>
      {answer.error ? (
        <NoTrace id={id} error={answer.error} />
      ) : trace && trace.rows.length > 0 ? (
        <OpenTrace trace={trace} />
      ) : (
        <p class="hint">{answer.loading ? 'The trace is on its way …' : 'The trace is empty.'}</p>
      )}
    </main>
  );
}

const toSearch = () => navigate({ trace: undefined, span: undefined });

function NoTrace({ id, error }: { id: string; error: ApiError }) {
  return (
    <section class="guide">
      <h2>{error.status === 404 ? 'This trace is not here' : 'The trace cannot be read'}</h2>
      <p>
        <code>{id}</code>: {error.message}
      </p>
      {error.status === 404 && (
        <p>
          It may still be on its way, may not have been sampled, or its time to be kept is over.
        </p>
      )}
      <p class="guide-actions">
        <button type="button" class="button" onClick={refreshNow}>
          <Icon name="refresh" /> Look again
        </button>
        <button type="button" class="button" onClick={toSearch}>
          <Icon name="search" /> Search traces
        </button>
      </p>
    </section>
  );
}

function OpenTrace({ trace }: { trace: Trace }) {
  const [text, setText] = useState('');
  const [failedOnly, setFailedOnly] = useState(false);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [stretch, setStretch] = useState<Stretch>({ from: 0, to: trace.durationMs || 1 });
  useEffect(() => setStretch({ from: 0, to: trace.durationMs || 1 }), [trace]);
  const shown = useMemo(
    () => shownRows(trace, { folded, text, failedOnly }),
    [trace, folded, text, failedOnly],
  );
  const colors = useMemo(() => serviceColors(trace.services, theme.value), [trace, theme.value]);
  const chosen = trace.rows.findIndex((r) => r.span.spanId === page.value.span);
  const choose = useCallback(
    (at: number) => update({ span: at < 0 ? undefined : trace.rows[at]!.span.spanId }),
    [trace],
  );
  const fold = (id: string) => {
    const next = new Set(folded);
    if (!next.delete(id)) {
      next.add(id);
    }
    setFolded(next);
  };
  const nextFailed = () => {
    const after = trace.rows.findIndex((r, i) => i > chosen && r.failed);
    const at = after >= 0 ? after : trace.rows.findIndex((r) => r.failed);
    setFolded(new Set());
    choose(at);
  };
  return (
    <>
      <TraceHead trace={trace} />
      <div class="trace-tools">
        <input
          type="search"
          aria-label="Filter spans"
          placeholder="Filter spans: name, service, attribute"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={failedOnly}
            onChange={(e) => setFailedOnly(e.currentTarget.checked)}
          />
          failed only
        </label>
        {trace.failed > 0 && (
          <button type="button" class="button small" onClick={nextFailed}>
            <Icon name="warning" size={13} /> Next failed
          </button>
        )}
        <button type="button" class="button small" onClick={() => setFolded(topLevel(trace))}>
          Fold
        </button>
        <button type="button" class="button small" onClick={() => setFolded(new Set())}>
          Unfold
        </button>
        <Services trace={trace} colors={colors} />
        <small class="query-facts">
          {shown.length === trace.rows.length
            ? countText(shown.length, 'span')
            : `${shown.length} of ${countText(trace.rows.length, 'span')}`}
        </small>
      </div>
      <Minimap trace={trace} colors={colors} stretch={stretch} onStretch={setStretch} />
      <div class={chosen >= 0 ? 'trace-body with-details' : 'trace-body'}>
        <Waterfall
          trace={trace}
          shown={shown}
          colors={colors}
          stretch={stretch}
          chosen={chosen}
          folded={folded}
          onChoose={choose}
          onFold={fold}
        />
        {chosen >= 0 && (
          <SpanDetails trace={trace} row={trace.rows[chosen]!} onClose={() => choose(-1)} />
        )}
      </div>
    </>
  );
}

/* Everything below the children of the roots. */
function topLevel(trace: Trace): Set<string> {
  const some = trace.rows.filter((r) => r.depth === 1 && r.below > 0);
  return new Set(some.map((r) => r.span.spanId));
}

function TraceHead({ trace }: { trace: Trace }) {
  const root = trace.rows[0]!;
  return (
    <header class="trace-head">
      <button
        type="button"
        class="button icon-only"
        title="Back to the search"
        aria-label="Back to the search"
        onClick={toSearch}
      >
        <Icon name="left" />
      </button>
      <div>
        <h1>
          {root.service}: {root.span.name}
        </h1>
        <p>
          {formatDateTime(trace.startMs)} · <b>{durationText(trace.durationMs)}</b> ·{' '}
          {countText(trace.rows.length, 'span')} · {countText(trace.services.length, 'service')}
          {trace.failed > 0 && <em class="failed"> · {trace.failed} failed</em>}
          {root.orphan && ' · the root has not arrived'}
        </p>
        <code class="trace-id">{trace.id}</code>
      </div>
    </header>
  );
}

/* Services named beside the tools; the rest is counted. */
const SERVICES_SHOWN = 8;

function Services({ trace, colors }: { trace: Trace; colors: Map<string, string> }) {
  const more = trace.services.length - SERVICES_SHOWN;
  return (
    <span class="trace-services">
      {trace.services.slice(0, SERVICES_SHOWN).map((name) => (
        <span key={name}>
          <i class="swatch" style={{ background: colors.get(name) }} />
          {name}
        </span>
      ))}
      {more > 0 && <span>and {more} more</span>}
    </span>
  );
}
