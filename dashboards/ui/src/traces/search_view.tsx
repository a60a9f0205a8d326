/* Searching traces: a form for what is asked most, TraceQL for the rest, the newest first. */
import { useEffect, useState } from 'preact/hooks';
import { errorPosition, type ApiError } from '../api/client';
import { fieldValues, searchTraces } from '../api/traces';
import { Icon } from '../controls/icons';
import { formatDateTime } from '../model/time';
import {
  formQuery,
  foundTraces,
  parseForm,
  type FoundTrace,
  type SearchForm,
} from '../model/trace_search';
import { forced, navigate, page, refreshNow, theme, tick, timeWindow, update } from '../state';
import { countText, durationText, serviceColors } from './look';
import { Scatter } from './scatter';
import { useAnswer } from './use_answer';

/* Traces of one answer: as many as a person looks through. */
const LIMITS = [20, 100, 500];
const ALL = '{ }';

export function SearchView() {
  const query = page.value.traceQuery ?? ALL;
  const [limit, setLimit] = useState(LIMITS[0]!);
  const window = timeWindow.value;
  const key = [query, limit, window.from, window.to, forced.value].join('\n');
  const answer = useAnswer(key, (signal) => searchTraces(query, window, limit, signal));
  const found = answer.value ? foundTraces(answer.value) : [];
  return (
    <main class="traces">
      <SearchBox query={query} limit={limit} onLimit={setLimit} />
      <section class="trace-results" data-state={stateOf(answer)} aria-busy={answer.loading}>
        {answer.error ? (
          <SearchError error={answer.error} />
        ) : found.length > 0 ? (
          <>
            <Scatter traces={found} from={window.from} to={window.to} theme={theme.value} />
            <TraceList traces={found} full={found.length >= limit} />
          </>
        ) : (
          !answer.loading && <NothingFound all={query === ALL} />
        )}
      </section>
    </main>
  );
}

const stateOf = (answer: { error?: ApiError; value?: unknown }) =>
  answer.error ? 'error' : answer.value ? 'data' : 'waiting';

function SearchError({ error }: { error: ApiError }) {
  return (
    <div class="query-error" role="alert">
      <Icon name="warning" size={18} />
      <p>{errorPosition(error.message)?.text ?? error.message}</p>
    </div>
  );
}

function NothingFound({ all }: { all: boolean }) {
  return (
    <div class="query-empty">
      {all ? (
        <>
          <b>No traces in this time range.</b> Agents and the server take OTLP, Zipkin and Jaeger
          spans: <code>OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318</code>
        </>
      ) : (
        <>
          <b>No traces matched.</b> Check the conditions and the time range.
        </>
      )}
    </div>
  );
}

interface SearchBoxProps {
  query: string;
  limit: number;
  onLimit: (limit: number) => void;
}

function SearchBox({ query, limit, onLimit }: SearchBoxProps) {
  const [draft, setDraft] = useState(query);
  useEffect(() => setDraft(query), [query]);
  const form = parseForm(draft);
  const run = (next = draft) => {
    const text = next.trim() || ALL;
    if (text === query) {
      refreshNow();
    } else {
      update({ traceQuery: text }, true);
    }
  };
  return (
    <form class="query-box trace-search" onSubmit={(e) => (e.preventDefault(), run())}>
      <div class="query-line">
        <input
          class="traceql"
          aria-label="TraceQL"
          spellcheck={false}
          autocomplete="off"
          value={draft}
          onInput={(e) => setDraft(e.currentTarget.value)}
        />
        <button type="submit" class="button primary">
          <Icon name="search" size={14} /> Search
        </button>
      </div>
      <div class="trace-form">
        {form ? (
          <FormFields form={form} onChange={(f) => run(formQuery(f))} />
        ) : (
          <span class="hint">
            More than the form can say: edit the text above, or{' '}
            <button type="button" class="link" onClick={() => run(ALL)}>
              start anew
            </button>
          </span>
        )}
        <label class="trace-limit">
          newest
          <select
            value={String(limit)}
            onChange={(e) => onLimit(Number(e.currentTarget.value))}
            aria-label="How many traces"
          >
            {LIMITS.map((n) => (
              <option key={n} value={String(n)}>
                {n}
              </option>
            ))}
          </select>
        </label>
      </div>
    </form>
  );
}

/* What services and names there are; asked again as the window moves on by a minute. */
const SUGGEST_EVERY_MS = 60_000;
const SUGGESTIONS_MAX = 500;

function useSuggestions(field: string): string[] {
  const [values, set] = useState<string[]>([]);
  const { from, to } = timeWindow.value;
  useEffect(() => {
    let current = true;
    fieldValues(field, { from, to }).then(
      (found) => current && set([...found].sort().slice(0, SUGGESTIONS_MAX)),
      () => undefined, // the field stays, and takes what is typed
    );
    return () => {
      current = false;
    };
  }, [field, to - from, Math.floor(tick.value / SUGGEST_EVERY_MS)]);
  return values;
}

interface FormProps {
  form: SearchForm;
  onChange: (form: SearchForm) => void;
}

function FormFields({ form, onChange }: FormProps) {
  const services = useSuggestions('resource.service.name');
  const names = useSuggestions('name');
  const text = (label: string, key: 'service' | 'name' | 'minDuration', options?: string[]) => (
    <label>
      {label}
      <input
        list={options && `trace-${key}`}
        autocomplete="off"
        placeholder={key === 'minDuration' ? '100ms' : 'any'}
        pattern={key === 'minDuration' ? '[0-9.]+(ns|us|ms|s|m|h)' : undefined}
        value={form[key]}
        onChange={(e) =>
          e.currentTarget.reportValidity() &&
          onChange({ ...form, [key]: e.currentTarget.value.trim() })
        }
      />
      {options && (
        <datalist id={`trace-${key}`}>
          {options.map((o) => (
            <option key={o} value={o} />
          ))}
        </datalist>
      )}
    </label>
  );
  return (
    <>
      {text('Service', 'service', services)}
      {text('Span', 'name', names)}
      {text('At least', 'minDuration')}
      <label class="check">
        <input
          type="checkbox"
          checked={form.failed}
          onChange={(e) => onChange({ ...form, failed: e.currentTarget.checked })}
        />
        failed
      </label>
    </>
  );
}

function TraceList({ traces, full }: { traces: FoundTrace[]; full: boolean }) {
  const services = [...new Set(traces.map((t) => t.service))].sort();
  const colors = serviceColors(services, theme.value);
  const longest = Math.max(...traces.map((t) => t.durationMs), 1);
  return (
    <>
      <table class="table trace-list">
        <thead>
          <tr>
            <th>Start</th>
            <th>Trace</th>
            <th>Spans</th>
            <th>Duration</th>
          </tr>
        </thead>
        <tbody>
          {traces.map((t) => (
            <TraceRow
              key={t.id}
              trace={t}
              color={colors.get(t.service)!}
              share={t.durationMs / longest}
            />
          ))}
        </tbody>
      </table>
      <p class="hint">
        {countText(traces.length, 'trace')}
        {full && ', the newest of more: narrow the search or the time range'}
      </p>
    </>
  );
}

function TraceRow({ trace, color, share }: { trace: FoundTrace; color: string; share: number }) {
  const open = (e: Event) => (e.preventDefault(), navigate({ trace: trace.id, span: undefined }));
  return (
    <tr onClick={open}>
      <td class="trace-time">{formatDateTime(trace.startMs)}</td>
      <td>
        <a href={`traces?trace=${trace.id}`} onClick={open}>
          <i class="swatch" style={{ background: color }} />
          <b>{trace.service || '(root not received)'}</b> {trace.name}
        </a>
        <small title={trace.services.join(', ')}>{trace.id}</small>
      </td>
      <td>
        {trace.spans || ''}
        {trace.failed > 0 && <em class="failed"> {trace.failed} failed</em>}
      </td>
      <td class="trace-duration">
        <i style={{ width: `${Math.max(share * 100, 0.5)}%`, background: color }} />
        <span>{durationText(trace.durationMs)}</span>
      </td>
    </tr>
  );
}
