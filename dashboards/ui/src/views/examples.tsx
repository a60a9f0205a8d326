/* Something to start from, instead of an empty box. */
import { recentExpressions } from '../controls/history';

const EXAMPLES: { title: string; expr: string }[] = [
  { title: 'Which targets answer?', expr: 'up' },
  {
    title: 'CPU used per host',
    expr: '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m]))',
  },
  {
    title: 'Memory available',
    expr: 'node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes',
  },
  { title: 'Who waits for disks?', expr: 'rate(node_pressure_io_waiting_seconds_total[1m])' },
  {
    title: 'Filesystems nearly full',
    expr: 'node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.2',
  },
  { title: 'Metrics with most series', expr: 'topk(10, count by (__name__) ({__name__!=""}))' },
];

export function Examples({ onPick }: { onPick: (expr: string) => void }) {
  const recent = recentExpressions();
  return (
    <div class="examples">
      <p class="hint">
        Write a PromQL expression above and press Ctrl-Enter, or start from one of these:
      </p>
      <div class="example-list">
        {EXAMPLES.map((example) => (
          <button type="button" key={example.expr} onClick={() => onPick(example.expr)}>
            <span>{example.title}</span>
            <code>{example.expr}</code>
          </button>
        ))}
      </div>
      {recent.length > 0 && (
        <>
          <p class="hint recent-title">Asked before in this browser:</p>
          <div class="recent-list">
            {recent.map((expr) => (
              <button type="button" key={expr} title={expr} onClick={() => onPick(expr)}>
                <code>{expr}</code>
              </button>
            ))}
          </div>
        </>
      )}
    </div>
  );
}
