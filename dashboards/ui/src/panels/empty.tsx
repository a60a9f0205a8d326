/* A panel without data says so, quietly, and how to find out why. */
import type { PanelProps } from './types';

export function Empty({ panel, data, height }: PanelProps) {
  if (!data.loaded) {
    return <div class="panel-message" />;
  }
  const noValue = panel.defaults.noValue;
  return (
    <div class="panel-message">
      <span>{noValue ?? 'No data'}</span>
      {!noValue && height > 100 && <small>No series matched in this time range.</small>}
    </div>
  );
}
