/* Which series are hidden after a click in the legend: it isolates one, and shows all again when
 * that one was alone; with a modifier it toggles one. */
export function nextHidden(
  hidden: ReadonlySet<string>,
  names: string[],
  name: string,
  toggle: boolean,
): Set<string> {
  if (toggle) {
    const next = new Set(hidden);
    if (!next.delete(name)) {
      next.add(name);
    }
    return next;
  }
  const others = names.filter((n) => n !== name);
  const alone = !hidden.has(name) && others.length > 0 && others.every((n) => hidden.has(n));
  return alone ? new Set() : new Set(others);
}
