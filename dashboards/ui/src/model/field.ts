/* Overrides: which fields they match, and what they change. */
import { matches } from './color';
import type { CustomConfig, FieldConfig, Override } from './dashboard';

export interface FieldFacts {
  name: string;
  refId: string;
  type: 'number' | 'string' | 'time';
}

/* The field's configuration: defaults of the panel, then each matching override in order. */
export function resolveField(
  defaults: FieldConfig,
  overrides: Override[],
  facts: FieldFacts,
): FieldConfig {
  const config: FieldConfig = { ...defaults, custom: { ...defaults.custom } };
  for (const override of overrides) {
    if (matchesField(override, facts)) {
      for (const property of override.properties) {
        setProperty(config, property.id, property.value);
      }
    }
  }
  return config;
}

function matchesField({ matcher }: Override, facts: FieldFacts): boolean {
  const options = matcher.options as any;
  switch (matcher.id) {
    case 'byName':
      return options === facts.name;
    case 'byNames': {
      const listed = (options?.names ?? []).includes(facts.name);
      return options?.mode === 'exclude' ? !listed : listed;
    }
    case 'byRegexp':
      return matches(String(options), facts.name);
    case 'byFrameRefID':
      return options === facts.refId;
    case 'byType':
      return options === facts.type;
    default:
      return false;
  }
}

function setProperty(config: FieldConfig, id: string, value: unknown): void {
  if (id.startsWith('custom.')) {
    const path = id.slice('custom.'.length).split('.');
    let at = (config.custom ??= {}) as Record<string, any>;
    for (const key of path.slice(0, -1)) {
      at[key] = { ...at[key] };
      at = at[key];
    }
    at[path[path.length - 1]!] = value;
    return;
  }
  (config as Record<string, unknown>)[id] = value;
}

export function isHidden(
  custom: CustomConfig | undefined,
  where: 'viz' | 'legend' | 'tooltip',
): boolean {
  return Boolean(custom?.hideFrom?.[where]);
}
