/* Keys, mouse, and how to get data in: the help box. */
import { SHORTCUTS } from '../shortcuts';
import { Icon } from './icons';
import { Popover } from './popover';

export function Help({ version }: { version: string }) {
  return (
    <Popover
      id="help"
      label={<Icon name="help" />}
      title="Help (?)"
      buttonClass="button icon-only"
      align="right"
      boxClass="help-box"
    >
      {() => (
        <>
          <h4>Keys</h4>
          <dl>
            {SHORTCUTS.map((s) => (
              <div key={s.keys}>
                <dt>
                  <kbd>{s.keys}</kbd>
                </dt>
                <dd>{s.does}</dd>
              </div>
            ))}
          </dl>
          <h4>Charts</h4>
          <p>
            Drag to zoom. Click a name in the legend to see it alone, with Ctrl to hide it. Arrow
            keys walk through a focused chart.
          </p>
          <h4>Data</h4>
          <p>On each host:</p>
          <pre>sonde-agent --server {location.origin}</pre>
          {version && <p class="hint">Sonde {version}</p>}
        </>
      )}
    </Popover>
  );
}
