/* As much of PromQL as an editor needs: its words, to colour them and to complete them.
 *
 * This is no parser: whether an expression is right is the server's to say. Broken and half-written
 * input is the normal case here, so every text gives tokens and no text gives an error.
 */

export type TokenKind =
  | 'function'
  | 'keyword'
  | 'metric'
  | 'label'
  | 'string'
  | 'number'
  | 'operator'
  | 'comment'
  | 'space'
  | 'other';

export interface Token {
  kind: TokenKind;
  text: string;
  start: number;
}

export const AGGREGATIONS: Record<string, string> = {
  sum: 'sum over series',
  avg: 'mean over series',
  min: 'smallest over series',
  max: 'largest over series',
  count: 'number of series',
  topk: 'the k largest series',
  bottomk: 'the k smallest series',
  quantile: 'quantile over series',
  stddev: 'standard deviation over series',
  stdvar: 'variance over series',
  count_values: 'number of series per value',
  group: '1 for each group',
  limitk: 'any k series',
  limit_ratio: 'a share of the series',
};

export const FUNCTIONS: Record<string, string> = {
  rate: 'per-second increase of a counter',
  irate: 'per-second increase between the last two samples',
  increase: 'increase of a counter over the range',
  delta: 'difference of a gauge over the range',
  idelta: 'difference between the last two samples',
  deriv: 'per-second slope of a gauge',
  predict_linear: 'value in t seconds if the slope stays',
  histogram_quantile: 'quantile from buckets',
  histogram_avg: 'mean of a native histogram',
  histogram_count: 'count of a native histogram',
  histogram_sum: 'sum of a native histogram',
  histogram_fraction: 'share of observations between two bounds',
  avg_over_time: 'mean over the range',
  min_over_time: 'smallest over the range',
  max_over_time: 'largest over the range',
  sum_over_time: 'sum over the range',
  count_over_time: 'number of samples in the range',
  last_over_time: 'last sample in the range',
  first_over_time: 'first sample in the range',
  quantile_over_time: 'quantile over the range',
  stddev_over_time: 'standard deviation over the range',
  stdvar_over_time: 'variance over the range',
  present_over_time: '1 where there was a sample',
  absent_over_time: '1 where there was none',
  absent: '1 when nothing matches',
  changes: 'how often the value changed',
  resets: 'how often a counter started anew',
  abs: 'without sign',
  ceil: 'rounded up',
  floor: 'rounded down',
  round: 'rounded to a multiple',
  clamp: 'kept between two limits',
  clamp_min: 'kept above a limit',
  clamp_max: 'kept below a limit',
  exp: 'e to the power',
  ln: 'natural logarithm',
  log2: 'logarithm to base 2',
  log10: 'logarithm to base 10',
  sqrt: 'square root',
  sgn: 'sign',
  sort: 'ascending by value',
  sort_desc: 'descending by value',
  sort_by_label: 'by labels',
  label_replace: 'sets a label from another by regular expression',
  label_join: 'sets a label from several',
  scalar: 'the value of the only series',
  vector: 'a series without labels',
  time: 'time of evaluation in seconds',
  timestamp: 'time of each sample',
  hour: 'hour of the day',
  minute: 'minute of the hour',
  day_of_week: 'day of the week, Sunday is 0',
  day_of_month: 'day of the month',
  days_in_month: 'days in the month',
  month: 'month of the year',
  year: 'year',
};

const KEYWORDS = new Set([
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'offset',
  'bool',
  'and',
  'or',
  'unless',
  'atan2',
  'start',
  'end',
]);

/* Words that are followed by a list of label names in parentheses. */
export const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

const PATTERN =
  /(\s+)|(#[^\n]*)|("(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`[^`]*`?)|((?:\d+(?:ms|[smhdwy]))+|0x[\da-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)|(\$?[a-z_:][\w:.]*)|(=~|!~|!=|==|>=|<=|[-+*\/%^=<>@])|([\s\S])/giy;

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let braces = 0;
  let grouping = false;
  let depth = 0;
  PATTERN.lastIndex = 0;
  for (let m = PATTERN.exec(text); m; m = PATTERN.exec(text)) {
    const [whole, space, comment, string, number, word, operator] = m;
    let kind: TokenKind = 'other';
    if (space) {
      kind = 'space';
    } else if (comment) {
      kind = 'comment';
    } else if (string) {
      kind = 'string';
    } else if (number) {
      kind = 'number';
    } else if (operator) {
      kind = 'operator';
    } else if (word) {
      kind = wordKind(word, text.slice(m.index + word.length), braces > 0 || depth > 0);
      grouping = GROUPING.has(word.toLowerCase());
    } else {
      braces += whole === '{' ? 1 : whole === '}' && braces > 0 ? -1 : 0;
      depth =
        whole === '('
          ? grouping || depth > 0
            ? depth + 1
            : 0
          : whole === ')'
            ? Math.max(0, depth - 1)
            : depth;
      grouping = false;
    }
    tokens.push({ kind, text: whole, start: m.index });
  }
  return tokens;
}

function wordKind(word: string, after: string, inLabels: boolean): TokenKind {
  if (inLabels) {
    return 'label';
  }
  const lower = word.toLowerCase();
  if (KEYWORDS.has(lower)) {
    return 'keyword';
  }
  const called = /^\s*(\(|by\b|without\b)/i.test(after);
  return called && (word in FUNCTIONS || lower in AGGREGATIONS) ? 'function' : 'metric';
}
