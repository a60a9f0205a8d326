/* A trace as OTLP's JSON says it, turned into rows of a waterfall.
 *
 * Rows stand in the order of a walk through the tree: a span, then its children by their start. A
 * span whose parent is not here (it was not sent, or came from a system that is not traced) is a
 * root of its own, and so is one of a ring of parents. Times are milliseconds from the start of the
 * trace: nanoseconds since 1970 do not fit into a number, differences do. Nothing here recurses: a
 * trace may be a chain of a hundred thousand spans.
 */

export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number | string;
  bytesValue?: string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: Attribute[] };
}

export interface Attribute {
  key: string;
  value?: AnyValue;
}

export interface OtlpEvent {
  timeUnixNano?: string;
  name?: string;
  attributes?: Attribute[];
}

export interface OtlpLink {
  traceId?: string;
  spanId?: string;
  attributes?: Attribute[];
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name?: string;
  kind?: number | string;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: Attribute[];
  events?: OtlpEvent[];
  links?: OtlpLink[];
  status?: { code?: number | string; message?: string };
}

export interface OtlpTrace {
  resourceSpans?: {
    resource?: { attributes?: Attribute[] };
    scopeSpans?: { scope?: { name?: string; version?: string }; spans?: OtlpSpan[] }[];
  }[];
}

export interface SpanRow {
  span: OtlpSpan;
  resource: Attribute[];
  scope: string;
  service: string;
  kind: string;
  failed: boolean;
  startMs: number;
  durationMs: number;
  depth: number;
  /* Spans below this one, at any depth: rows from the next on. */
  below: number;
  children: number;
  /* Its parent has an id, and is not in the trace. */
  orphan: boolean;
  /* Nothing else was going on while this ran: making it shorter makes the trace shorter. */
  critical: boolean;
}

export interface Trace {
  id: string;
  rows: SpanRow[];
  /* Of the first start, milliseconds since 1970. */
  startMs: number;
  durationMs: number;
  services: string[];
  failed: number;
}

const KINDS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

function kindOf(kind: number | string | undefined): string {
  return typeof kind === 'string'
    ? kind.replace(/^SPAN_KIND_/, '').toLowerCase()
    : (KINDS[kind ?? 0] ?? '');
}

function isFailed(span: OtlpSpan): boolean {
  return span.status?.code === 2 || span.status?.code === 'STATUS_CODE_ERROR';
}

export function attributeText(value: AnyValue | undefined): string {
  if (value === undefined) {
    return '';
  }
  if (value.arrayValue) {
    return `[${(value.arrayValue.values ?? []).map(attributeText).join(', ')}]`;
  }
  if (value.kvlistValue) {
    const pairs = value.kvlistValue.values ?? [];
    return `{${pairs.map((p) => `${p.key}: ${attributeText(p.value)}`).join(', ')}}`;
  }
  const plain =
    value.stringValue ?? value.boolValue ?? value.intValue ?? value.doubleValue ?? value.bytesValue;
  return plain === undefined ? '' : String(plain);
}

export function attribute(list: Attribute[] | undefined, key: string): string | undefined {
  const found = list?.find((a) => a.key === key);
  return found && attributeText(found.value);
}

const nano = (text: string | undefined): bigint => {
  try {
    return BigInt(text ?? 0);
  } catch {
    return 0n;
  }
};
const ms = (ns: bigint): number => Number(ns) / 1e6;

/* One row for each span id of each kind: the same span may have been sent twice. */
function collect(otlp: OtlpTrace): SpanRow[] {
  const rows: SpanRow[] = [];
  const seen = new Set<string>();
  for (const { resource, scopeSpans } of otlp.resourceSpans ?? []) {
    const attributes = resource?.attributes ?? [];
    const service = attribute(attributes, 'service.name') ?? '';
    for (const { scope, spans } of scopeSpans ?? []) {
      for (const span of spans ?? []) {
        const kind = kindOf(span.kind);
        const key = `${span.spanId}/${kind}`;
        if (seen.has(key)) {
          continue;
        }
        seen.add(key);
        rows.push({
          span,
          resource: attributes,
          scope: [scope?.name, scope?.version].filter(Boolean).join(' '),
          service,
          kind,
          failed: isFailed(span),
          startMs: 0,
          durationMs: 0,
          depth: 0,
          below: 0,
          children: 0,
          orphan: false,
          critical: false,
        });
      }
    }
  }
  return rows;
}

/* Sets times from the start of the trace on; answers that start. */
function setTimes(rows: SpanRow[]): bigint {
  let first: bigint | undefined;
  for (const { span } of rows) {
    const start = nano(span.startTimeUnixNano);
    first = first === undefined || start < first ? start : first;
  }
  for (const row of rows) {
    const start = nano(row.span.startTimeUnixNano);
    const end = nano(row.span.endTimeUnixNano);
    row.startMs = ms(start - first!);
    row.durationMs = end > start ? ms(end - start) : 0;
  }
  return first ?? 0n;
}

/* The walk: `order` receives each row once, parents before children. */
function walk(roots: SpanRow[], children: Map<string, SpanRow[]>, order: Set<SpanRow>): void {
  const stack = roots.map((row) => ({ row, depth: 0 })).reverse();
  while (stack.length > 0) {
    const { row, depth } = stack.pop()!;
    if (order.has(row)) {
      continue;
    }
    row.depth = depth;
    order.add(row);
    const below = children.get(row.span.spanId) ?? [];
    for (let i = below.length - 1; i >= 0; i--) {
      stack.push({ row: below[i]!, depth: depth + 1 });
    }
  }
}

function inOrder(rows: SpanRow[]): SpanRow[] {
  const known = new Set(rows.map((r) => r.span.spanId));
  const byStart = [...rows].sort((a, b) => a.startMs - b.startMs || b.durationMs - a.durationMs);
  const children = new Map<string, SpanRow[]>();
  const roots: SpanRow[] = [];
  for (const row of byStart) {
    const parent = row.span.parentSpanId ?? '';
    if (parent !== '' && known.has(parent)) {
      const list = children.get(parent);
      if (list) {
        list.push(row);
      } else {
        children.set(parent, [row]);
      }
    } else {
      row.orphan = parent !== '';
      roots.push(row);
    }
  }
  const order = new Set<SpanRow>();
  walk(roots, children, order);
  // What is left hangs on rings of parents: each ring begins at its earliest span.
  for (const row of byStart) {
    walk([row], children, order);
  }
  return [...order];
}

/* A span ends where a row comes that is not deeper. */
function countBelow(rows: SpanRow[]): void {
  const open: number[] = [];
  const close = (depth: number, at: number) => {
    while (open.length > depth) {
      const position = open.pop()!;
      rows[position]!.below = at - position - 1;
    }
  };
  rows.forEach((row, at) => {
    close(row.depth, at);
    if (row.depth > 0) {
      rows[open[row.depth - 1]!]!.children++;
    }
    open.push(at);
  });
  close(0, rows.length);
}

/* Backwards from the end of the first root: what ended last before this moment is what it waited
 * for; then what ended last before that began. */
function markCritical(rows: SpanRow[]): void {
  if (rows.length === 0) {
    return;
  }
  const end = (r: SpanRow) => r.startMs + r.durationMs;
  const stack: { at: number; until: number }[] = [{ at: 0, until: end(rows[0]!) }];
  while (stack.length > 0) {
    const { at, until } = stack.pop()!;
    const row = rows[at]!;
    row.critical = true;
    const below: number[] = [];
    for (let i = at + 1; i <= at + row.below; i += rows[i]!.below + 1) {
      below.push(i);
    }
    below.sort((a, b) => end(rows[b]!) - end(rows[a]!));
    let now = Math.min(until, end(row));
    for (const i of below) {
      if (end(rows[i]!) <= now && rows[i]!.durationMs > 0) {
        stack.push({ at: i, until: end(rows[i]!) });
        now = rows[i]!.startMs;
      }
    }
  }
}

export function traceModel(id: string, otlp: OtlpTrace): Trace {
  const all = collect(otlp);
  const first = setTimes(all);
  const rows = inOrder(all);
  countBelow(rows);
  markCritical(rows);
  return {
    id,
    rows,
    startMs: ms(first),
    durationMs: rows.reduce((most, r) => Math.max(most, r.startMs + r.durationMs), 0),
    services: [...new Set(rows.map((r) => r.service))],
    failed: rows.reduce((n, r) => n + (r.failed ? 1 : 0), 0),
  };
}

/* Whether a span has these letters in its name, its service, or a key or value of its attributes. */
export function matches(row: SpanRow, text: string): boolean {
  const wanted = text.toLowerCase();
  const has = (s: string | undefined) => s !== undefined && s.toLowerCase().includes(wanted);
  const inside = (list: Attribute[] | undefined) =>
    list?.some((a) => has(a.key) || has(attributeText(a.value))) ?? false;
  return (
    has(row.span.name) ||
    has(row.service) ||
    has(row.span.spanId) ||
    has(row.span.status?.message) ||
    inside(row.span.attributes) ||
    inside(row.resource) ||
    (row.span.events ?? []).some((e) => has(e.name) || inside(e.attributes))
  );
}

export interface RowFilter {
  /* Span ids whose descendants are folded away. */
  folded: ReadonlySet<string>;
  text: string;
  failedOnly: boolean;
}

/* Positions of the rows that are shown. A filter hides what does not match, folds included. */
export function shownRows(trace: Trace, filter: RowFilter): number[] {
  const { rows } = trace;
  const shown: number[] = [];
  const filtering = filter.text.trim() !== '' || filter.failedOnly;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (filtering) {
      if ((!filter.failedOnly || row.failed) && matches(row, filter.text.trim())) {
        shown.push(i);
      }
      continue;
    }
    shown.push(i);
    if (filter.folded.has(row.span.spanId)) {
      i += row.below;
    }
  }
  return shown;
}
