/* What the whole page shares: where we are, which time we look at, when to look again.
 *
 * Signals hold it; `navigate` and `update` change it together with the address. A refresh only
 * moves `tick`: relative ranges are pinned to it, so all panels look at the same window. */
import { batch, computed, effect, signal } from '@preact/signals';
import type { DashboardEntry } from './api/client';
import { DEFAULT_SCRAPE_MS } from './model/step';
import { isRelative, parseDuration, pin, type TimeRange, type TimeWindow } from './model/time';
import { formatUrl, parseUrl, type PageState } from './model/url';
import type { Theme } from './model/color';

export const page = signal<PageState>(parseUrl(location.pathname, location.search));
export const range = signal<TimeRange>(page.value.range ?? { from: 'now-1h', to: 'now' });
export const refresh = signal<string>(page.value.refresh ?? '');
export const tick = signal<number>(Date.now());

/* The dashboards this server has; undefined until it said so. */
export const dashboards = signal<DashboardEntry[] | undefined>(undefined);

/* Whether the last request reached the server; the banner of the page. */
export const reachable = signal(true);

export const timeWindow = computed<TimeWindow>(() => {
  const now = tick.value;
  return pin(range.value, now) ?? { from: now - 3_600_000, to: now };
});

/* Measured from the stored samples, see scrape_interval.ts. */
export const scrapeMs = signal<number>(DEFAULT_SCRAPE_MS);
/* True once the first measurement is over: panels wait for it rather than ask twice. */
export const scrapeKnown = signal(false);

/* Counts refreshes asked for by a person, and moves through the history of the browser. */
export const forced = signal(0);
export const moves = signal(0);

export function refreshNow(): void {
  batch(() => {
    forced.value++;
    tick.value = Date.now();
  });
}

function write(push: boolean): void {
  const url = formatUrl({ ...page.value, range: range.value, refresh: refresh.value });
  if (push) {
    history.pushState(null, '', url);
  } else {
    history.replaceState(null, '', url);
  }
}

/* Goes to another place; the time range comes along. */
export function navigate(change: Partial<PageState>): void {
  batch(() => {
    page.value = { ...page.value, viewPanel: undefined, ...change };
  });
  write(true);
  scrollTo(0, 0);
}

/* Changes the place in small ways (a variable, a query). */
export function update(change: Partial<PageState>, push = false): void {
  page.value = { ...page.value, ...change };
  write(push);
}

export function setRange(next: TimeRange): void {
  batch(() => {
    range.value = next;
    tick.value = Date.now();
  });
  write(true);
}

export function setRefresh(next: string): void {
  page.value = { ...page.value, refresh: next };
  refresh.value = next;
  write(false);
}

/* Range and refresh a dashboard asks for, unless the address says otherwise. */
export function adoptDefaults(defaults: { range: TimeRange; refresh: string }): void {
  batch(() => {
    if (!page.value.range) {
      range.value = defaults.range;
      page.value = { ...page.value, range: defaults.range };
    }
    if (page.value.refresh === undefined) {
      refresh.value = defaults.refresh;
      page.value = { ...page.value, refresh: defaults.refresh };
    }
    tick.value = Date.now();
  });
  write(false);
}

/* Moves the window by a share of its length, or scales it around its middle. */
export function moveWindow(share: number): void {
  const { from, to } = timeWindow.value;
  const by = Math.round((to - from) * share);
  const end = Math.min(to + by, Date.now());
  setRange({ from: String(end - (to - from)), to: String(end) });
}

export function zoomOut(): void {
  const { from, to } = timeWindow.value;
  const half = to - from;
  const middle = (from + to) / 2;
  const end = Math.min(Math.round(middle + half), Date.now());
  setRange({ from: String(Math.round(end - 2 * half)), to: String(end) });
}

addEventListener('popstate', () => {
  const next = parseUrl(location.pathname, location.search);
  batch(() => {
    page.value = next;
    range.value = next.range ?? range.value;
    refresh.value = next.refresh ?? refresh.value;
    moves.value++;
    tick.value = Date.now();
  });
});

/* Refreshing: by timer while the page can be seen and the end of the range is now. */
effect(() => {
  const every = parseDuration(refresh.value || '');
  if (!every || !isRelative(range.value)) {
    return;
  }
  const timer = setInterval(
    () => {
      if (!document.hidden) {
        tick.value = Date.now();
      }
    },
    Math.max(1000, every),
  );
  return () => clearInterval(timer);
});

document.addEventListener('visibilitychange', () => {
  const every = parseDuration(refresh.value || '');
  if (!document.hidden && every && Date.now() - tick.value > every && isRelative(range.value)) {
    tick.value = Date.now();
  }
});

const THEME_KEY = 'sonde-theme';
const systemTheme = (): Theme =>
  matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';

function savedTheme(): Theme | undefined {
  try {
    const saved = localStorage.getItem(THEME_KEY);
    return saved === 'dark' || saved === 'light' ? saved : undefined;
  } catch {
    return undefined; // the browser may forbid storage
  }
}

export const theme = signal<Theme>(savedTheme() ?? systemTheme());

export function toggleTheme(): void {
  theme.value = theme.value === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(THEME_KEY, theme.value);
  } catch {
    // It holds until the page is closed.
  }
}

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
