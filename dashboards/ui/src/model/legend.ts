/* Names of series: legendFormat templates, and what stands in when there is none. */

export type Labels = Record<string, string>;

/* `{{label}}` is replaced by the label's value, or by nothing when the series lacks it. */
export function formatLegend(template: string, labels: Labels): string {
  return template.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}

/* name{a="b", c="d"}, the way PromQL writes it. */
export function formatSeries(labels: Labels): string {
  const name = labels.__name__ ?? '';
  const rest = Object.keys(labels)
    .filter((key) => key !== '__name__')
    .sort()
    .map((key) => `${key}="${labels[key]}"`);
  if (rest.length === 0) {
    return name || '{}';
  }
  return `${name}{${rest.join(', ')}}`;
}

/* Names for all series of one target. Without a template only labels that differ are worth reading;
 * a single series is called by its expression. */
export function nameSeries(list: Labels[], template: string | undefined, expr: string): string[] {
  if (template && template !== '__auto') {
    return list.map((labels) => formatLegend(template, labels));
  }
  if (list.length === 1) {
    const labels = list[0]!;
    return [
      labels.__name__ && Object.keys(labels).length > 1 && template !== '__auto'
        ? formatSeries(labels)
        : expr,
    ];
  }
  if (template !== '__auto') {
    return list.map(formatSeries);
  }
  const differing = differingLabels(list);
  if (differing.length === 1) {
    return list.map((labels) => labels[differing[0]!] ?? '{}');
  }
  return list.map((labels) => {
    const shown: Labels = {};
    for (const key of differing) {
      if (labels[key] !== undefined) {
        shown[key] = labels[key];
      }
    }
    return formatSeries(shown);
  });
}

function differingLabels(list: Labels[]): string[] {
  const names = new Set(list.flatMap((labels) => Object.keys(labels)));
  return [...names].filter((name) => list.some((labels) => labels[name] !== list[0]![name])).sort();
}
