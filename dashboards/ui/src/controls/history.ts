/* Expressions that gave an answer, newest first, kept by the browser. */
const KEY = 'sonde-expressions';
const KEPT = 12;

export function recentExpressions(): string[] {
  try {
    const saved: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(saved) ? saved.filter((s) => typeof s === 'string').slice(0, KEPT) : [];
  } catch {
    return []; // the browser may forbid storage, and anybody may write to it
  }
}

export function rememberExpression(expr: string): void {
  const list = [expr, ...recentExpressions().filter((e) => e !== expr)].slice(0, KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(list));
  } catch {
    // Not kept, then.
  }
}
