/* One dashboard: its variables, its rows, its panels. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { dashboardFile } from '../api/client';
import { Icon } from '../controls/icons';
import { VariableBar } from '../controls/variable_bar';
import { loadDashboard, type Dashboard, type Panel } from '../model/dashboard';
import {
  expandRepeats,
  GRID_COLUMNS,
  GRID_GAP,
  GRID_UNIT,
  reflow,
  sections,
  type Section,
} from '../model/layout';
import { interpolate, type Scope } from '../model/interpolate';
import { scopeOf, valueOf } from '../model/variables';
import { PanelFrame } from '../panels/panel';
import { adoptDefaults, moves, page, reachable, tick, timeWindow, update } from '../state';
import {
  chosenValues,
  forgetVariables,
  resolveVariables,
  variables,
  variablesReady,
} from '../variable_store';
import { NoDataGuide } from './guide';

/* Below these widths of the page panels are laid out in fewer columns. */
const PHONE_PX = 640;
const PHONE_COLUMNS = 4;

/* Options of variables are asked for again after this long, when the page refreshes by itself. */
const VARIABLES_AGE_MS = 60_000;

type Loaded = { name: string; dashboard: Dashboard } | { name: string; error: string };

export function DashboardView({ name }: { name: string }) {
  const [loaded, setLoaded] = useState<Loaded | undefined>();

  useEffect(() => {
    let current = true;
    forgetVariables();
    setLoaded(undefined);
    dashboardFile(name)
      .then(loadDashboard)
      .then((dashboard) => {
        if (current) {
          adoptDefaults({ range: dashboard.time, refresh: dashboard.refresh });
          setLoaded({ name, dashboard });
        }
      })
      .catch((error: Error) => current && setLoaded({ name, error: error.message }));
    return () => {
      current = false;
    };
  }, [name]);

  if (!loaded || loaded.name !== name) {
    return <main class="dashboard loading" aria-busy="true" />;
  }
  if ('error' in loaded) {
    return (
      <main class="dashboard">
        <section class="guide">
          <h2>This dashboard cannot be shown</h2>
          <p>{loaded.error}</p>
        </section>
      </main>
    );
  }
  return <Loaded dashboard={loaded.dashboard} />;
}

function useVariables(dashboard: Dashboard): void {
  const asked = useRef(0);
  const moved = useRef(moves.value);
  const { from, to } = timeWindow.value;
  const span = to - from;
  const missing = variables.value.some((v) => v.model.type === 'query' && v.options.length === 0);
  useEffect(() => {
    const old = tick.value - asked.current > VARIABLES_AGE_MS;
    const back = moved.current !== moves.value;
    if (!variablesReady.value || old || missing || back) {
      asked.current = tick.value;
      moved.current = moves.value;
      // The address speaks when it was not this page that wrote it.
      const wishes = variablesReady.value && !back ? {} : page.value.variables;
      void resolveVariables(dashboard.variables, wishes, timeWindow.value).then(() => {
        if (variablesReady.value) {
          update({ variables: chosenValues() });
        }
      });
    }
  }, [dashboard, tick.value, span, missing, moves.value, reachable.value]);
}

function useWidth(): number {
  const [width, set] = useState(innerWidth);
  useEffect(() => {
    const onResize = () => set(innerWidth);
    addEventListener('resize', onResize);
    return () => removeEventListener('resize', onResize);
  }, []);
  return width;
}

function Loaded({ dashboard }: { dashboard: Dashboard }) {
  useVariables(dashboard);
  const width = useWidth();
  const states = variables.value;
  const ready = variablesReady.value;
  const window = timeWindow.value;
  const scope = useMemo(() => scopeOf(states, window), [states, window]);
  const valuesOf = (variable: string) => {
    const state = states.find((s) => s.model.name === variable);
    return state ? valueOf(state, window).values : [];
  };
  const panels = useMemo(() => expandRepeats(dashboard.panels, valuesOf), [dashboard, states]);
  const syncKey = dashboard.graphTooltip > 0 ? `dashboard-${dashboard.uid}` : undefined;
  useEffect(() => {
    document.title = `${interpolate(dashboard.title, scope, 'text')} · Sonde`;
  }, [dashboard.title, scope]);

  const wanted = page.value.viewPanel;
  const alone = wanted
    ? allPanels(panels).find((p) => p.id === wanted && p.type !== 'row')
    : undefined;
  const empty =
    ready && states.some((s) => s.model.type === 'query' && s.options.length === 0 && !s.error);
  return (
    <main class="dashboard">
      <VariableBar />
      {empty ? (
        <NoDataGuide what={dashboard.tags.includes('host') ? 'host' : 'series'} />
      ) : alone ? (
        <Alone panel={alone} scope={scope} ready={ready} />
      ) : (
        sections(panels).map((section, i) => (
          <SectionView
            key={section.row?.id ?? `top${i}`}
            section={section}
            scope={scope}
            ready={ready}
            syncKey={syncKey}
            phone={width < PHONE_PX}
          />
        ))
      )}
    </main>
  );
}

function allPanels(panels: Panel[]): Panel[] {
  return panels.flatMap((p) => [p, ...allPanels(p.panels)]);
}

function scoped(panel: Panel, scope: Scope): Scope {
  if (!panel.scope) {
    return scope;
  }
  const own = Object.entries(panel.scope).map(([name, value]) => [
    name,
    { values: [value], multi: scope[name]?.multi ?? false },
  ]);
  return { ...scope, ...Object.fromEntries(own) };
}

function Alone({ panel, scope, ready }: { panel: Panel; scope: Scope; ready: boolean }) {
  return (
    <div class="alone">
      <button
        type="button"
        class="button small"
        onClick={() => update({ viewPanel: undefined }, true)}
      >
        <Icon name="left" size={14} /> All panels
      </button>
      <div class="alone-panel">
        <PanelFrame
          key={`alone${panel.id}`}
          panel={panel}
          scope={scoped(panel, scope)}
          ready={ready}
          full
        />
      </div>
    </div>
  );
}

interface SectionProps {
  section: Section;
  scope: Scope;
  ready: boolean;
  syncKey?: string;
  phone: boolean;
}

function SectionView({ section, scope, ready, syncKey, phone }: SectionProps) {
  const [folded, setFolded] = useState(section.row?.collapsed ?? false);
  const columns = phone ? PHONE_COLUMNS : GRID_COLUMNS;
  const panels = phone ? reflow(section.panels, columns) : section.panels;
  const title = section.row && interpolate(section.row.title, scoped(section.row, scope), 'text');
  return (
    <section class={folded ? 'row folded' : 'row'}>
      {section.row && (
        <button
          type="button"
          class="row-head"
          aria-expanded={!folded}
          onClick={() => setFolded(!folded)}
        >
          <Icon name="chevron" size={14} />
          <h2>{title}</h2>
          {folded && <small>{section.panels.length} panels</small>}
        </button>
      )}
      {!folded && (
        <div
          class="grid"
          style={{
            gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
            gridAutoRows: `${GRID_UNIT}px`,
            gap: `${GRID_GAP}px`,
          }}
        >
          {panels.map((panel) => {
            const { x, y, w, h } = panel.gridPos;
            return (
              <div
                class="cell"
                key={panel.id}
                style={{ gridColumn: `${x + 1} / span ${w}`, gridRow: `${y + 1} / span ${h}` }}
              >
                <PanelFrame
                  panel={panel}
                  scope={scoped(panel, scope)}
                  ready={ready}
                  syncKey={syncKey}
                />
              </div>
            );
          })}
        </div>
      )}
    </section>
  );
}
