/* The choices a dashboard offers: one control per template variable. */
import { useState } from 'preact/hooks';
import { timeWindow, update } from '../state';
import { chooseValue, chosenValues, variables } from '../variable_store';
import { ALL, type VariableState } from '../model/variables';
import { Icon } from './icons';
import { Popover } from './popover';

/* Options in the list; searching finds the rest. */
const LISTED_MAX = 300;

async function choose(state: VariableState, chosen: string[]): Promise<void> {
  await chooseValue(state.model.name, chosen, timeWindow.value);
  update({ variables: chosenValues() }, true);
}

export function VariableBar() {
  const shown = variables.value.filter(
    (v) => v.model.hide !== 2 && v.model.type !== 'constant' && v.model.type !== 'datasource',
  );
  if (shown.length === 0) {
    return null;
  }
  return (
    <div class="variable-bar" role="toolbar" aria-label="Variables">
      {shown.map((state) => (
        <Variable key={state.model.name} state={state} />
      ))}
    </div>
  );
}

function Variable({ state }: { state: VariableState }) {
  const { model } = state;
  const label = model.label || model.name;
  return (
    <div class="variable">
      {model.hide !== 1 && <span class="variable-label">{label}</span>}
      {model.type === 'textbox' ? (
        <input
          class="variable-text"
          aria-label={label}
          value={state.chosen[0] ?? ''}
          onChange={(e) => void choose(state, [e.currentTarget.value])}
        />
      ) : (
        <Popover
          label={<Chosen state={state} />}
          title={label}
          buttonClass={state.error ? 'button variable-button bad' : 'button variable-button'}
          boxClass="variable-box"
        >
          {(close) => <Options state={state} close={close} />}
        </Popover>
      )}
    </div>
  );
}

function Chosen({ state }: { state: VariableState }) {
  const names = state.chosen.map((v) =>
    v === ALL ? 'All' : (state.options.find((o) => o.value === v)?.text ?? v),
  );
  const text = state.error
    ? 'error'
    : names.length === 0
      ? 'none'
      : names.length > 2
        ? `${names.slice(0, 2).join(', ')} +${names.length - 2}`
        : names.join(', ');
  return (
    <>
      <span class="variable-value">{text}</span>
      <Icon name="chevron" size={12} />
    </>
  );
}

function Options({ state, close }: { state: VariableState; close: () => void }) {
  const [search, setSearch] = useState('');
  const { model, options, chosen } = state;
  const needle = search.toLowerCase();
  const found = options.filter((o) => o.text.toLowerCase().includes(needle));
  const all = model.includeAll && needle === '' ? [{ text: 'All', value: ALL }] : [];
  const pick = (value: string) => {
    if (!model.multi) {
      void choose(state, [value]);
      close();
      return;
    }
    if (value === ALL) {
      void choose(state, [ALL]);
      return;
    }
    const kept = chosen.filter((c) => c !== ALL && c !== value);
    const next = chosen.includes(value) ? kept : [...kept, value];
    void choose(state, next.length > 0 ? next : model.includeAll ? [ALL] : [value]);
  };
  return (
    <>
      {options.length > 8 && (
        <label class="search">
          <Icon name="search" size={14} />
          <input
            placeholder="Search"
            aria-label="Search"
            value={search}
            onInput={(e) => setSearch(e.currentTarget.value)}
          />
        </label>
      )}
      {state.error && <p class="field-error">{state.error}</p>}
      <div class="option-list" role="listbox" aria-multiselectable={model.multi}>
        {[...all, ...found.slice(0, LISTED_MAX)].map((o) => (
          <button
            type="button"
            role="option"
            key={o.value}
            aria-selected={chosen.includes(o.value)}
            onClick={() => pick(o.value)}
          >
            <span class="option-check">
              {chosen.includes(o.value) && <Icon name="check" size={13} />}
            </span>
            {o.text}
          </button>
        ))}
        {found.length === 0 && !state.error && (
          <p class="hint">
            {options.length === 0 ? 'No values in this time range.' : 'Nothing found.'}
          </p>
        )}
        {found.length > LISTED_MAX && (
          <p class="hint">{found.length - LISTED_MAX} more: search for them.</p>
        )}
      </div>
    </>
  );
}
