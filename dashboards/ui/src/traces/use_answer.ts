/* One answer of the server as state: asked again when `key` changes, the old one stays until the
 * new one is here, and what nobody waits for any more is cancelled. */
import { useEffect, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import { reachable } from '../state';

export interface Answer<T> {
  value?: T;
  error?: ApiError;
  loading: boolean;
}

export function useAnswer<T>(key: string, ask: (signal: AbortSignal) => Promise<T>): Answer<T> {
  const [answer, set] = useState<Answer<T>>({ loading: true });
  useEffect(() => {
    const controller = new AbortController();
    const settle = (next: Answer<T>) => !controller.signal.aborted && set(next);
    set((old) => ({ value: old.value, loading: true }));
    ask(controller.signal).then(
      (value) => settle({ value, loading: false }),
      (error: ApiError) => {
        if (error.kind === 'unreachable') {
          reachable.value = false;
        }
        settle({ error, loading: false });
      },
    );
    return () => controller.abort();
  }, [key]);
  return answer;
}
