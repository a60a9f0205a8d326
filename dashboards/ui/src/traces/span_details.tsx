/* All that one span says, and where it leads: to its service's numbers at that time, to traces
 * like it, to spans it is linked with. */
import { Icon } from '../controls/icons';
import { formatDateTime } from '../model/time';
import {
  attributeText,
  type Attribute,
  type OtlpEvent,
  type OtlpLink,
  type SpanRow,
  type Trace,
} from '../model/trace';
import { formQuery, serviceQueries } from '../model/trace_search';
import { navigate, setRange } from '../state';
import { durationText } from './look';

interface DetailsProps {
  trace: Trace;
  row: SpanRow;
  onClose: () => void;
}

export function SpanDetails({ trace, row, onClose }: DetailsProps) {
  const { span } = row;
  return (
    <aside class="span-details" aria-label="Span">
      <header>
        <h2>{span.name}</h2>
        <button
          type="button"
          class="button icon-only"
          aria-label="Close"
          title="Close"
          onClick={onClose}
        >
          ×
        </button>
      </header>
      <p>
        {row.service}
        {row.kind && ` · ${row.kind}`} · <b>{durationText(row.durationMs)}</b> · from{' '}
        {durationText(row.startMs)} on
        {row.critical && ' · on the critical path'}
      </p>
      {row.failed && (
        <p class="span-failure">
          <Icon name="warning" size={14} /> {span.status?.message || 'failed'}
        </p>
      )}
      {row.orphan && <p class="hint">Its parent {span.parentSpanId} has not arrived.</p>}
      <p class="guide-actions">
        <button type="button" class="button small" onClick={() => exploreService(trace, row)}>
          <Icon name="compass" size={13} /> Metrics of {row.service}
        </button>
        <button type="button" class="button small" onClick={() => searchLike(row)}>
          <Icon name="search" size={13} /> Traces like this
        </button>
      </p>
      <Attributes title="Attributes" list={span.attributes} />
      <Events events={span.events} traceStartMs={trace.startMs} />
      <Links links={span.links} />
      <Attributes title="Resource" list={row.resource} />
      <table class="attributes">
        <tbody>
          <tr>
            <th>span id</th>
            <td>{span.spanId}</td>
          </tr>
          {row.scope && (
            <tr>
              <th>scope</th>
              <td>{row.scope}</td>
            </tr>
          )}
          <tr>
            <th>start</th>
            <td>{formatDateTime(trace.startMs + row.startMs)}</td>
          </tr>
        </tbody>
      </table>
    </aside>
  );
}

/* Numbers are read with what came before and after. */
const AROUND_MS = 30 * 60_000;

function exploreService(trace: Trace, row: SpanRow): void {
  const at = trace.startMs + row.startMs;
  const queries = serviceQueries(row.service).map((expr) => ({ expr, tab: 'graph' as const }));
  navigate({ view: 'explore', queries, trace: undefined, span: undefined });
  setRange({
    from: String(Math.round(at - AROUND_MS)),
    to: String(Math.round(Math.min(at + AROUND_MS, Date.now()))),
  });
}

function searchLike(row: SpanRow): void {
  const form = {
    service: row.service,
    name: row.span.name ?? '',
    minDuration: '',
    failed: row.failed,
  };
  navigate({ traceQuery: formQuery(form), trace: undefined, span: undefined });
}

function Attributes({ title, list }: { title: string; list: Attribute[] | undefined }) {
  if (!list || list.length === 0) {
    return null;
  }
  return (
    <>
      <h3>{title}</h3>
      <AttributeTable list={list} />
    </>
  );
}

function AttributeTable({ list }: { list: Attribute[] }) {
  return (
    <table class="attributes">
      <tbody>
        {list.map((a, i) => (
          <tr key={i}>
            <th>{a.key}</th>
            <td>{attributeText(a.value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Events({
  events,
  traceStartMs,
}: {
  events: OtlpEvent[] | undefined;
  traceStartMs: number;
}) {
  if (!events || events.length === 0) {
    return null;
  }
  return (
    <>
      <h3>Events</h3>
      {events.map((event, i) => (
        <div class="span-event" key={i}>
          <b>{event.name}</b>{' '}
          <small>at {durationText(Number(event.timeUnixNano ?? 0) / 1e6 - traceStartMs)}</small>
          <AttributeTable list={event.attributes ?? []} />
        </div>
      ))}
    </>
  );
}

function Links({ links }: { links: OtlpLink[] | undefined }) {
  if (!links || links.length === 0) {
    return null;
  }
  const open = (link: OtlpLink) => navigate({ trace: link.traceId, span: link.spanId });
  return (
    <>
      <h3>Linked with</h3>
      {links.map((link, i) => (
        <div class="span-event" key={i}>
          <a
            href={`traces?${new URLSearchParams({ trace: link.traceId ?? '', span: link.spanId ?? '' })}`}
            onClick={(e) => (e.preventDefault(), open(link))}
          >
            {link.traceId}
          </a>
          <AttributeTable list={link.attributes ?? []} />
        </div>
      ))}
    </>
  );
}
