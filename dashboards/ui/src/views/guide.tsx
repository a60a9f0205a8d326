/* What to do when there is nothing to see: written for someone woken at night. */
import { useEffect, useState } from 'preact/hooks';
import { labelValues } from '../api/client';
import { Icon } from '../controls/icons';
import { describeRange } from '../model/time';
import { navigate, range, refreshNow, setRange, tick } from '../state';

type Finding = 'asking' | 'empty' | 'elsewhere' | 'failed';

/* Is the store empty, or only this time range? */
function useFinding(): Finding {
  const [finding, set] = useState<Finding>('asking');
  useEffect(() => {
    let current = true;
    labelValues('__name__', undefined, undefined, 1).then(
      (names) => current && set(names.length > 0 ? 'elsewhere' : 'empty'),
      () => current && set('failed'),
    );
    return () => {
      current = false;
    };
  }, [tick.value]);
  return finding;
}

export function NoDataGuide({ what }: { what: string }) {
  const finding = useFinding();
  if (finding === 'asking') {
    return null;
  }
  const address = location.origin;
  return (
    <section class="guide" aria-live="polite">
      <h2>
        {finding === 'empty'
          ? 'No samples have arrived yet'
          : `No ${what} in “${describeRange(range.value)}”`}
      </h2>
      <p>
        {finding === 'empty'
          ? 'The server runs and its store is empty. As soon as an agent reports, this page fills by itself.'
          : finding === 'failed'
            ? 'The server did not answer the question what it stores.'
            : 'The store holds data, but nothing that this dashboard asks for in the chosen time range.'}
      </p>
      {finding === 'elsewhere' && (
        <p class="guide-actions">
          {['now-6h', 'now-24h', 'now-7d'].map((from) => (
            <button
              type="button"
              class="button"
              key={from}
              onClick={() => setRange({ from, to: 'now' })}
            >
              {describeRange({ from, to: 'now' })}
            </button>
          ))}
        </p>
      )}
      <ol>
        <li>
          Is the agent running on the host?
          <pre>systemctl status sonde-agent</pre>
        </li>
        <li>
          Start it by hand, pointing at this server:
          <pre>sonde-agent --server {address}</pre>
        </li>
        <li>
          What does the agent say? Its log names what it cannot reach; its own numbers are at
          <pre>curl http://127.0.0.1:9096/metrics</pre>
        </li>
        <li>
          Which targets has the server ever heard of?
          <p class="guide-actions">
            <button
              type="button"
              class="button"
              onClick={() => navigate({ view: 'explore', queries: [{ expr: 'up', tab: 'table' }] })}
            >
              <Icon name="compass" /> Explore “up”
            </button>
            <button type="button" class="button" onClick={refreshNow}>
              <Icon name="refresh" /> Look again
            </button>
          </p>
        </li>
      </ol>
    </section>
  );
}
