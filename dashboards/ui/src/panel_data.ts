/* Asks the server for what a panel shows, again whenever expressions, window or width change.
 *
 * While a new answer is on its way the old one stays on screen. A panel out of sight asks nothing;
 * an answer nobody waits for any more is cancelled.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, queryInstant, queryRange } from './api/client';
import { queryExemplars } from './api/traces';
import type { Panel, Target } from './model/dashboard';
import { pickExemplars, type Exemplar } from './model/exemplars';
import type { TargetResult } from './model/frames';
import { builtins, interpolate, type Scope } from './model/interpolate';
import { alignWindow, computeStep, type Step } from './model/step';
import { parseDuration, type TimeWindow } from './model/time';
import { forced, reachable, tick } from './state';

export interface TargetError {
  refId: string;
  expr: string;
  kind: string;
  message: string;
}

export interface PanelData {
  results: TargetResult[];
  errors: TargetError[];
  /* What an answer lacks. */
  notices: string[];
  /* What Prometheus remarks on an expression: for those who write it, not for those who read. */
  infos: string[];
  /* With the built-in variables, for legends and titles. */
  scope: Scope;
  loading: boolean;
  /* At least one answer has come. */
  loaded: boolean;
  stepMs: number;
  elapsedMs: number;
}

interface Request {
  target: Target;
  expr: string;
  instant: boolean;
  window: TimeWindow;
  stepMs: number;
}

export interface DataInput {
  panel: Panel;
  scope: Scope;
  window: TimeWindow;
  widthPx: number;
  scrapeMs: number;
  /* In sight, with all variables known. */
  active: boolean;
}

const EMPTY: PanelData = {
  results: [],
  errors: [],
  notices: [],
  infos: [],
  scope: {},
  loading: false,
  loaded: false,
  stepMs: 0,
  elapsedMs: 0,
};

function panelWindow(panel: Panel, window: TimeWindow): TimeWindow {
  let { from, to } = window;
  const span = panel.timeFrom && parseDuration(panel.timeFrom.replace(/^now-/, ''));
  if (span) {
    from = to - span;
  }
  const shift = panel.timeShift && parseDuration(panel.timeShift.replace(/^now-/, ''));
  if (shift) {
    from -= shift;
    to -= shift;
  }
  return { from, to };
}

function stepOf(input: DataInput, target: Target, window: TimeWindow): Step {
  const minInterval = target.interval || input.panel.interval;
  return computeStep({
    window,
    maxDataPoints: input.panel.maxDataPoints ?? Math.max(50, input.widthPx),
    minInterval: minInterval && interpolate(minInterval, input.scope, 'text'),
    intervalFactor: target.intervalFactor,
    scrapeMs: input.scrapeMs,
  });
}

function plan(input: DataInput): { requests: Request[]; scope: Scope } {
  const window = panelWindow(input.panel, input.window);
  const utcOffsetMs = -new Date(window.to).getTimezoneOffset() * 60_000;
  let scope = input.scope;
  const requests: Request[] = [];
  for (const target of input.panel.targets) {
    if (target.hide || !target.expr.trim()) {
      continue;
    }
    const step = stepOf(input, target, window);
    scope = { ...input.scope, ...builtins({ ...window, ...step }) };
    const instant = Boolean(target.instant);
    const aligned = alignWindow(window, step.stepMs, utcOffsetMs);
    requests.push({
      target,
      expr: interpolate(target.expr, scope),
      instant,
      window: aligned,
      stepMs: step.stepMs,
    });
  }
  return { requests, scope };
}

async function run(
  request: Request,
  signal: AbortSignal,
): Promise<{ result: TargetResult; notices: string[]; infos: string[]; elapsedMs: number }> {
  const { expr, window, stepMs, target } = request;
  const [answer, exemplars] = await Promise.all([
    request.instant
      ? queryInstant(expr, window.to, signal)
      : queryRange({ expr, ...window, stepMs }, signal),
    target.exemplar && !request.instant ? exemplarsOf(request, signal) : [],
  ]);
  const result = { target, expr, data: answer.data, ...window, stepMs, exemplars };
  return { result, notices: answer.warnings, infos: answer.infos, elapsedMs: answer.elapsedMs };
}

/* They are an extra: without them the chart is still right. */
async function exemplarsOf(request: Request, signal: AbortSignal): Promise<Exemplar[]> {
  const { from, to } = request.window;
  try {
    const answer = await queryExemplars(request.expr, { from, to }, signal);
    return pickExemplars(answer, from / 1000, to / 1000);
  } catch {
    return [];
  }
}

async function runAll(requests: Request[], scope: Scope, signal: AbortSignal): Promise<PanelData> {
  const settled = await Promise.allSettled(requests.map((r) => run(r, signal)));
  const data: PanelData = {
    ...EMPTY,
    scope,
    loaded: true,
    results: [],
    errors: [],
    notices: [],
    infos: [],
  };
  settled.forEach((outcome, i) => {
    const request = requests[i]!;
    if (outcome.status === 'fulfilled') {
      data.results.push(outcome.value.result);
      data.notices.push(...outcome.value.notices);
      data.infos.push(...outcome.value.infos);
      data.elapsedMs = Math.max(data.elapsedMs, outcome.value.elapsedMs);
      data.stepMs = Math.max(data.stepMs, request.stepMs);
    } else {
      const error = outcome.reason as ApiError;
      data.errors.push({
        refId: request.target.refId,
        expr: request.expr,
        kind: error.kind,
        message: error.message,
      });
    }
  });
  data.notices = [...new Set(data.notices)];
  data.infos = [...new Set(data.infos)];
  return data;
}

export function usePanelData(input: DataInput): PanelData {
  const [data, setData] = useState<PanelData>(EMPTY);
  const lastKey = useRef('');
  const { requests, scope } = input.active ? plan(input) : { requests: [], scope: {} };
  // A refresh asked for by a person asks again even when the window has not moved; one by timer
  // does only where the last answer was an error. What failed because the server was gone is asked
  // again as soon as it is back.
  const lost = data.errors.some((e) => e.kind === 'unreachable');
  const again = [forced.value, data.errors.length > 0 && tick.value, lost && reachable.value].join(
    '/',
  );
  const key = input.active
    ? again + JSON.stringify(requests.map((r) => [r.expr, r.instant, r.window, r.stepMs]))
    : '';

  useEffect(() => {
    if (!input.active || key === lastKey.current) {
      setData((old) => (old.loading ? { ...old, loading: false } : old));
      return;
    }
    const controller = new AbortController();
    setData((old) => ({ ...old, loading: true }));
    void runAll(requests, scope, controller.signal).then((next) => {
      if (controller.signal.aborted) {
        return;
      }
      lastKey.current = key;
      if (next.errors.some((e) => e.kind === 'unreachable')) {
        reachable.value = false;
      }
      setData((old) => keepOld(old, next));
    });
    return () => controller.abort();
  }, [key, input.active]);

  return data;
}

/* When nothing could be had, what was on screen stays beside the error. */
function keepOld(old: PanelData, next: PanelData): PanelData {
  const allFailed = next.results.length === 0 && next.errors.length > 0;
  const lostConnection = next.errors.every(
    (e) => e.kind === 'unreachable' || e.kind === 'not_json' || e.kind === 'timeout',
  );
  return allFailed && lostConnection && old.results.length > 0
    ? { ...old, errors: next.errors, loading: false }
    : next;
}
