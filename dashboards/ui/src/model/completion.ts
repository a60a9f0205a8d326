/* What may come where the caret stands in an expression, and putting it there. */
import { GROUPING, tokenize, type Token } from './promql';

export interface Candidate {
  text: string;
  kind: 'metric' | 'function' | 'aggregation' | 'label' | 'value';
  detail: string;
}

export interface CompletionContext {
  kind: 'name' | 'label' | 'value' | 'none';
  /* The word being written, and where it starts and ends. */
  prefix: string;
  from: number;
  to: number;
  /* Selector to narrow labels and values by, e.g. the metric before the braces. */
  metric?: string;
  label?: string;
}

/* What could be written at the caret. */
export function completionContext(text: string, caret: number): CompletionContext {
  const tokens = tokenize(text);
  const at = tokens.findIndex((t) => t.start < caret && caret <= t.start + t.text.length);
  const current = tokens[at];
  const nothing: CompletionContext = { kind: 'none', prefix: '', from: caret, to: caret };
  if (current?.kind === 'comment' || current?.kind === 'number') {
    return nothing;
  }
  const before = tokens
    .slice(0, at < 0 ? tokens.length : at)
    .filter((t) => t.kind !== 'space' && t.start < caret);
  if (current?.kind === 'string') {
    return valueContext(text, current, before, caret) ?? nothing;
  }
  const word =
    current && ['metric', 'function', 'keyword', 'label'].includes(current.kind)
      ? current
      : undefined;
  const from = word ? word.start : caret;
  const prefix = text.slice(from, caret);
  const to = word ? word.start + word.text.length : caret;
  const outside = word
    ? before
    : [...before, ...(current && current.kind !== 'space' ? [current] : [])];
  const open = enclosing(outside);
  if (open?.kind === 'braces') {
    return { kind: 'label', prefix, from, to, metric: open.metric };
  }
  if (open?.kind === 'grouping') {
    return { kind: 'label', prefix, from, to, metric: firstMetric(tokens) };
  }
  return prefix ? { kind: 'name', prefix, from, to } : nothing;
}

/* Inside the quotes of {label="…: only there. */
function valueContext(
  text: string,
  string: Token,
  before: Token[],
  caret: number,
): CompletionContext | undefined {
  const operator = before[before.length - 1];
  const label = before[before.length - 2];
  const closed = string.text.length > 1 && string.text.endsWith(string.text[0]!);
  const end = string.start + string.text.length - (closed ? 1 : 0);
  if (operator?.kind !== 'operator' || label?.kind !== 'label' || caret > end) {
    return undefined;
  }
  const open = enclosing(before);
  const from = string.start + 1;
  return {
    kind: 'value',
    prefix: text.slice(from, caret),
    from,
    to: end,
    label: label.text,
    metric: open?.metric,
  };
}

interface Enclosing {
  kind: 'braces' | 'grouping';
  metric?: string;
}

/* The bracket the end of `tokens` is inside of, if it is one that holds labels. */
function enclosing(tokens: Token[]): Enclosing | undefined {
  let closed = 0;
  for (let i = tokens.length - 1; i >= 0; i--) {
    const { text, kind } = tokens[i]!;
    if (kind !== 'other') {
      continue;
    }
    if (text === '}' || text === ')') {
      closed++;
    } else if (text === '{' || text === '(') {
      if (closed > 0) {
        closed--;
      } else if (text === '{') {
        const name = tokens[i - 1];
        return { kind: 'braces', metric: name?.kind === 'metric' ? name.text : undefined };
      } else {
        const word = tokens[i - 1]?.text.toLowerCase() ?? '';
        return GROUPING.has(word) ? { kind: 'grouping' } : undefined;
      }
    }
  }
  return undefined;
}

function firstMetric(tokens: Token[]): string | undefined {
  return tokens.find((t) => t.kind === 'metric')?.text;
}

/* Best first: what starts with the prefix, then what holds it, then what holds its letters in
 * order. */
export function rank(names: string[], prefix: string, limit: number): string[] {
  const needle = prefix.toLowerCase();
  if (!needle) {
    return names.slice(0, limit);
  }
  const scored: [score: number, name: string][] = [];
  for (const name of names) {
    const hay = name.toLowerCase();
    const at = hay.indexOf(needle);
    if (at === 0) {
      scored.push([0, name]);
    } else if (at > 0) {
      scored.push([/[_:.]/.test(hay[at - 1]!) ? 1 : 2, name]);
    } else if (inOrder(hay, needle)) {
      scored.push([3, name]);
    }
  }
  return scored
    .sort(([a, x], [b, y]) => a - b || x.length - y.length || (x < y ? -1 : 1))
    .slice(0, limit)
    .map(([, name]) => name);
}

function inOrder(hay: string, needle: string): boolean {
  let at = 0;
  for (const letter of needle) {
    at = hay.indexOf(letter, at) + 1;
    if (at === 0) {
      return false;
    }
  }
  return true;
}

/* The text with a candidate put in, and where the caret goes. */
export function insertCandidate(
  text: string,
  context: CompletionContext,
  candidate: Candidate,
): { text: string; caret: number } {
  const after = text.slice(context.to);
  let insert = candidate.text;
  let back = 0;
  if (
    (candidate.kind === 'function' || candidate.kind === 'aggregation') &&
    !/^\s*\(/.test(after)
  ) {
    insert += '()';
    back = 1;
  } else if (
    candidate.kind === 'label' &&
    context.kind === 'label' &&
    context.metric !== undefined &&
    !/^\s*(=|!|,|\))/.test(after) &&
    inBraces(text, context.from)
  ) {
    insert += '=""';
    back = 1;
  } else if (candidate.kind === 'value') {
    insert = insert.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
  }
  return {
    text: text.slice(0, context.from) + insert + after,
    caret: context.from + insert.length - back,
  };
}

function inBraces(text: string, at: number): boolean {
  const before = text.slice(0, at);
  return before.lastIndexOf('{') > Math.max(before.lastIndexOf('}'), before.lastIndexOf('('));
}
