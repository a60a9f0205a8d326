/* The page: bar on top, one view below. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, buildInfo, dashboardIndex, type DashboardEntry } from './api/client';
import { Help } from './controls/help';
import { Icon, Logo } from './controls/icons';
import { Popover } from './controls/popover';
import { RefreshPicker, TimePicker } from './controls/time_picker';
import { installShortcuts } from './shortcuts';
import { MEASURE_EVERY_MS, measureScrapeInterval } from './scrape_interval';
import { dashboards, navigate, page, reachable, theme, toggleTheme } from './state';
import { DashboardView } from './views/dashboard_view';
import { ExploreView } from './views/explore_view';
import { TracesView } from './views/traces_view';

function App() {
  const [failure, setFailure] = useState('');
  const [version, setVersion] = useState('');
  useEffect(() => {
    dashboardIndex().then(
      (list) => (dashboards.value = list),
      (e: Error) => setFailure(e.message),
    );
    buildInfo().then(
      (info) => setVersion(info.version ?? ''),
      () => undefined,
    );
    void measureScrapeInterval();
    const timer = setInterval(() => void measureScrapeInterval(), MEASURE_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const { view } = page.value;
  const name = page.value.dashboard || dashboards.value?.[0]?.name;
  return (
    <>
      <TopBar
        list={dashboards.value ?? []}
        current={view === 'dashboard' ? name : undefined}
        version={version}
      />
      {!reachable.value && <Unreachable />}
      {view === 'explore' ? (
        <ExploreView />
      ) : view === 'traces' ? (
        <TracesView />
      ) : name ? (
        <DashboardView name={name} />
      ) : (
        failure && (
          <main class="dashboard">
            <section class="guide">
              <h2>The list of dashboards cannot be read</h2>
              <p>{failure}</p>
            </section>
          </main>
        )
      )}
    </>
  );
}

/* While the server is gone it is asked a small question every so often. */
const KNOCK_EVERY_MS = 3000;

function Unreachable() {
  const knock = () => {
    buildInfo().then(
      () => (reachable.value = true),
      (error: ApiError) => (reachable.value = error.kind !== 'unreachable'),
    );
  };
  useEffect(() => {
    const timer = setInterval(knock, KNOCK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="banner" role="alert">
      <Icon name="warning" />
      <span>
        The server does not answer; the page asks again every few seconds. Is it running?{' '}
        <code>systemctl status sonde-server</code>
      </span>
      <button type="button" class="button small" onClick={knock}>
        Try now
      </button>
    </div>
  );
}

interface TopBarProps {
  list: DashboardEntry[];
  current: string | undefined;
  version: string;
}

function TopBar({ list, current, version }: TopBarProps) {
  const { view } = page.value;
  const nav = (of: typeof view) => (view === of ? 'button nav active' : 'button nav');
  const title = list.find((d) => d.name === current)?.title;
  return (
    <header class="top-bar">
      <a
        class="brand"
        href="./"
        title={version ? `Sonde ${version}` : 'Sonde'}
        onClick={(e) => (
          e.preventDefault(),
          navigate({ view: 'dashboard', dashboard: '', variables: {} })
        )}
      >
        <Logo />
        <span>Sonde</span>
      </a>
      <nav aria-label="Pages">
        <Popover
          label={
            <>
              <Icon name="grid" />
              <span class="nav-title">{title ?? 'Dashboards'}</span>
              <Icon name="chevron" size={12} />
            </>
          }
          title="Dashboards (d)"
          id="dashboards"
          buttonClass={nav('dashboard')}
          boxClass="menu dashboards"
        >
          {(close) =>
            list.map((d) => (
              <button
                type="button"
                key={d.name}
                aria-selected={d.name === current}
                onClick={() => (
                  close(),
                  navigate({ view: 'dashboard', dashboard: d.name, variables: {} })
                )}
              >
                <b>{d.title}</b>
                <small>{d.description}</small>
              </button>
            ))
          }
        </Popover>
        <button
          type="button"
          class={nav('explore')}
          title="Explore (e)"
          onClick={() => navigate({ view: 'explore' })}
        >
          <Icon name="compass" />
          <span class="nav-text">Explore</span>
        </button>
        <button
          type="button"
          class={nav('traces')}
          title="Traces (s)"
          onClick={() => navigate({ view: 'traces', trace: undefined, span: undefined })}
        >
          <Icon name="spans" />
          <span class="nav-text">Traces</span>
        </button>
      </nav>
      <div class="top-tools">
        <TimePicker />
        <RefreshPicker />
        <button
          type="button"
          class="button icon-only"
          title={theme.value === 'dark' ? 'Light theme' : 'Dark theme'}
          aria-label="Switch theme"
          onClick={toggleTheme}
        >
          <Icon name={theme.value === 'dark' ? 'sun' : 'moon'} />
        </button>
        <Help version={version} />
      </div>
    </header>
  );
}

installShortcuts();
render(<App />, document.getElementById('app')!);
