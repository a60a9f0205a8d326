/* Which time to look at, and how often to look again. */
import { useState } from 'preact/hooks';
import {
  CALENDAR_RANGES,
  describeRange,
  formatDateTime,
  pin,
  QUICK_RANGES,
  type TimeRange,
} from '../model/time';
import {
  moveWindow,
  range,
  refresh,
  refreshNow,
  setRange,
  setRefresh,
  tick,
  timeWindow,
  zoomOut,
} from '../state';
import { Icon } from './icons';
import { Popover } from './popover';

export function TimePicker() {
  const label = (
    <>
      <Icon name="clock" />
      <span class="time-label">{describeRange(range.value)}</span>
      <Icon name="chevron" size={12} />
    </>
  );
  return (
    <div class="button-group">
      <button
        type="button"
        class="button icon-only wide-only"
        title="Earlier (Shift ←)"
        aria-label="Earlier"
        onClick={() => moveWindow(-0.5)}
      >
        <Icon name="left" />
      </button>
      <Popover
        id="time-picker"
        label={label}
        title="Time range (t)"
        align="right"
        boxClass="time-box"
      >
        {(close) => <TimeBox close={close} />}
      </Popover>
      <button
        type="button"
        class="button icon-only wide-only"
        title="Later (Shift →)"
        aria-label="Later"
        onClick={() => moveWindow(0.5)}
      >
        <Icon name="right" />
      </button>
      <button
        type="button"
        class="button icon-only"
        title="Zoom out (z)"
        aria-label="Zoom out"
        onClick={zoomOut}
      >
        <Icon name="zoomOut" />
      </button>
    </div>
  );
}

function editable(text: string, ms: number): string {
  return text.startsWith('now') ? text : formatDateTime(ms);
}

function TimeBox({ close }: { close: () => void }) {
  const { from, to } = timeWindow.value;
  const [draft, setDraft] = useState<TimeRange>({
    from: editable(range.value.from, from),
    to: editable(range.value.to, to),
  });
  const valid = pin(draft, tick.value) !== undefined;
  const choose = (next: TimeRange) => {
    setRange(next);
    close();
  };
  const apply = (event: Event) => {
    event.preventDefault();
    if (valid) {
      const pinned = pin(draft, Date.now())!;
      choose({
        from: draft.from.startsWith('now') ? draft.from : String(pinned.from),
        to: draft.to.startsWith('now') ? draft.to : String(pinned.to),
      });
    }
  };
  const isChosen = (r: TimeRange) => r.from === range.value.from && r.to === range.value.to;
  return (
    <>
      <form class="time-form" onSubmit={apply}>
        <h4>Absolute time range</h4>
        {(['from', 'to'] as const).map((end) => (
          <label key={end}>
            {end === 'from' ? 'From' : 'To'}
            <input
              value={draft[end]}
              spellcheck={false}
              autocomplete="off"
              onInput={(e) => setDraft({ ...draft, [end]: e.currentTarget.value })}
            />
          </label>
        ))}
        {!valid && (
          <p class="field-error">
            Write e.g. now-6h, now/d or 2026-08-21 14:00, with From before To.
          </p>
        )}
        <button type="submit" class="button primary" disabled={!valid}>
          Apply
        </button>
        <p class="hint">{Intl.DateTimeFormat().resolvedOptions().timeZone}</p>
      </form>
      <div class="time-quick" role="listbox" aria-label="Quick ranges">
        {[...QUICK_RANGES, ...CALENDAR_RANGES].map((quick) => (
          <button
            type="button"
            role="option"
            key={quick.label}
            aria-selected={isChosen(quick.range)}
            onClick={() => choose(quick.range)}
          >
            {quick.label}
          </button>
        ))}
      </div>
    </>
  );
}

const INTERVALS = ['', '1s', '5s', '10s', '30s', '1m', '5m', '15m'];

export function RefreshPicker() {
  const intervals = INTERVALS.includes(refresh.value) ? INTERVALS : [...INTERVALS, refresh.value];
  return (
    <div class="button-group">
      <button
        type="button"
        class="button icon-only"
        title="Refresh now (r)"
        aria-label="Refresh now"
        onClick={refreshNow}
      >
        <Icon name="refresh" />
      </button>
      <Popover
        label={
          <>
            <span>{refresh.value || 'Off'}</span>
            <Icon name="chevron" size={12} />
          </>
        }
        title="Refresh by itself"
        align="right"
        boxClass="menu narrow"
      >
        {(close) =>
          intervals.map((interval) => (
            <button
              type="button"
              key={interval}
              aria-selected={interval === refresh.value}
              onClick={() => (setRefresh(interval), close())}
            >
              {interval || 'Off'}
            </button>
          ))
        }
      </Popover>
    </div>
  );
}
