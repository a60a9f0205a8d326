/* Traces: the search, or the one that is open. */
import { useEffect } from 'preact/hooks';
import { adoptDefaults, page } from '../state';
import { SearchView } from '../traces/search_view';
import { TraceView } from '../traces/trace_view';

export function TracesView() {
  const { trace } = page.value;
  useEffect(() => adoptDefaults({ range: { from: 'now-1h', to: 'now' }, refresh: '' }), []);
  useEffect(() => {
    document.title = trace ? `Trace ${trace.slice(0, 8)} · Sonde` : 'Traces · Sonde';
  }, [trace]);
  return trace ? <TraceView id={trace} key={trace} /> : <SearchView />;
}
