/* Hooks that watch an element: is it in sight, and how large is it? */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';

/* Panels this close to the edge of the screen load already. */
const AHEAD = '240px';

export function useInSight(ref: RefObject<Element | null>): boolean {
  const [inSight, set] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => set(entries.some((e) => e.isIntersecting)),
      { rootMargin: AHEAD },
    );
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  return inSight;
}

export function useSize(ref: RefObject<Element | null>): { width: number; height: number } {
  const [size, set] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const measure = () => {
      const node = ref.current;
      if (node) {
        const next = { width: node.clientWidth, height: node.clientHeight };
        set((old) => (old.width === next.width && old.height === next.height ? old : next));
      }
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  return size;
}
