/* Variables of the open dashboard: asks the server for their options and keeps what is chosen. */
import { signal } from '@preact/signals';
import { ApiError, labelNames, labelValues, queryInstant, series } from './api/client';
import { parseNumber, rawSeries } from './model/frames';
import { formatSeries } from './model/legend';
import { builtins, interpolate } from './model/interpolate';
import type { VariableModel } from './model/dashboard';
import type { TimeWindow } from './model/time';
import {
  choose,
  dependencies,
  dependencyOrder,
  filterOptions,
  parseVariableQuery,
  queryText,
  scopeOf,
  staticOptions,
  type VariableState,
} from './model/variables';

export const variables = signal<VariableState[]>([]);
/* False until the options of all variables are known; panels wait for that. */
export const variablesReady = signal(false);

/* Values a variable may list. */
const OPTIONS_MAX = 5000;

/* Counts resolutions: an answer that belongs to an older one is thrown away. */
let generation = 0;

type Wishes = Record<string, string[]>;

export async function resolveVariables(
  models: VariableModel[],
  wishes: Wishes,
  window: TimeWindow,
): Promise<void> {
  const mine = ++generation;
  const known = new Map(variables.value.map((v) => [v.model.name, v]));
  const done: VariableState[] = [];
  for (const model of dependencyOrder(models)) {
    const state = await resolveOne(
      model,
      wishes[model.name] ?? known.get(model.name)?.chosen,
      done,
      window,
    );
    if (mine !== generation) {
      return;
    }
    done.push(state);
  }
  variables.value = models.map((m) => done.find((d) => d.model === m)!);
  variablesReady.value = true;
}

async function resolveOne(
  model: VariableModel,
  wish: string[] | undefined,
  before: VariableState[],
  window: TimeWindow,
): Promise<VariableState> {
  const fixed = staticOptions(model);
  if (fixed) {
    return { model, options: fixed, chosen: choose(model, fixed, wish), loading: false };
  }
  try {
    const scope = scopeOf(
      before,
      window,
      builtins({ ...window, interval: '1m', intervalMs: 60_000, rateInterval: '5m' }),
    );
    const values = await askServer(interpolate(queryText(model), scope), window);
    const options = filterOptions(
      values,
      model.regex && interpolate(model.regex, scope, 'text'),
      model.sort,
    );
    return { model, options, chosen: choose(model, options, wish), loading: false };
  } catch (error) {
    const message = error instanceof ApiError ? error.message : String(error);
    return { model, options: [], chosen: wish ?? [], error: message, loading: false };
  }
}

async function askServer(query: string, window: TimeWindow): Promise<string[]> {
  const ask = parseVariableQuery(query);
  switch (ask.kind) {
    case 'label_names': {
      const names = await labelNames(undefined, window);
      return ask.pattern ? names.filter((n) => new RegExp(ask.pattern!).test(n)) : names;
    }
    case 'label_values':
      return labelValues(ask.label, ask.match, window, OPTIONS_MAX);
    case 'metrics': {
      const pattern = new RegExp(ask.pattern);
      return (await labelValues('__name__', undefined, window)).filter((n) => pattern.test(n));
    }
    case 'query_result': {
      const answer = await queryInstant(ask.expr, window.to);
      return rawSeries(answer.data).flatMap(({ labels, samples }) =>
        samples.map(
          ([t, v]) => `${formatSeries(labels)} ${parseNumber(v)} ${Math.round(t * 1000)}`,
        ),
      );
    }
    case 'series':
      return (await series(ask.match, window, OPTIONS_MAX)).map(formatSeries);
  }
}

/* Sets one variable and asks again for those that depend on it. */
export async function chooseValue(
  name: string,
  chosen: string[],
  window: TimeWindow,
): Promise<void> {
  const models = variables.value.map((v) => v.model);
  variables.value = variables.value.map((v) => (v.model.name === name ? { ...v, chosen } : v));
  if (models.some((m) => dependencies(m).includes(name))) {
    await resolveVariables(models, { [name]: chosen }, window);
  }
}

/* The choices that belong into the address. */
export function chosenValues(): Wishes {
  const out: Wishes = {};
  for (const { model, chosen } of variables.value) {
    if (model.type !== 'datasource' && model.type !== 'constant' && chosen.length > 0) {
      out[model.name] = chosen;
    }
  }
  return out;
}

export function forgetVariables(): void {
  generation++;
  variables.value = [];
  variablesReady.value = false;
}
