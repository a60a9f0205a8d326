/* Single keys, while no text is being edited. The list is shown by the help box. */
import { moveWindow, navigate, page, refreshNow, toggleTheme, update, zoomOut } from './state';

export interface Shortcut {
  keys: string;
  does: string;
  matches: (event: KeyboardEvent) => boolean;
  run: () => void;
}

const key =
  (name: string, shift = false) =>
  (event: KeyboardEvent) =>
    event.key === name && (!shift || event.shiftKey);
const click = (id: string) => () => document.getElementById(id)?.click();

export const SHORTCUTS: Shortcut[] = [
  { keys: 'd', does: 'choose a dashboard', matches: key('d'), run: click('dashboards') },
  { keys: 'e', does: 'explore', matches: key('e'), run: () => navigate({ view: 'explore' }) },
  {
    keys: 's',
    does: 'search traces',
    matches: key('s'),
    run: () => navigate({ view: 'traces', trace: undefined, span: undefined }),
  },
  { keys: 't', does: 'choose the time range', matches: key('t'), run: click('time-picker') },
  { keys: 'r', does: 'refresh now', matches: key('r'), run: refreshNow },
  { keys: 'z', does: 'zoom out', matches: key('z'), run: zoomOut },
  {
    keys: 'Shift ←',
    does: 'half a window earlier',
    matches: key('ArrowLeft', true),
    run: () => moveWindow(-0.5),
  },
  {
    keys: 'Shift →',
    does: 'half a window later',
    matches: key('ArrowRight', true),
    run: () => moveWindow(0.5),
  },
  { keys: 'l', does: 'light or dark', matches: key('l'), run: toggleTheme },
  { keys: '?', does: 'this list', matches: key('?'), run: click('help') },
  {
    keys: 'Esc',
    does: 'back to all panels',
    matches: key('Escape'),
    run: () => page.value.viewPanel && update({ viewPanel: undefined }, true),
  },
];

export function installShortcuts(): void {
  document.addEventListener('keydown', (event) => {
    const target = event.target as HTMLElement;
    const editing = target.matches('input, textarea, select');
    if (editing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) {
      return;
    }
    const shortcut = SHORTCUTS.find((s) => s.matches(event));
    if (shortcut) {
      event.preventDefault();
      shortcut.run();
    }
  });
}
