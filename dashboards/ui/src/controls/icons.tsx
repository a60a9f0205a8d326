/* Line icons of 16 by 16, drawn for this page. */
import type { JSX } from 'preact';

const PATHS: Record<string, string> = {
  clock: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 4.5V8l2.3 1.6',
  refresh: 'M13.2 8a5.2 5.2 0 1 1-1.5-3.7L13.4 6M13.4 2.6V6H10',
  chevron: 'm4.5 6.2 3.5 3.6 3.5-3.6',
  more: 'M8 3.4v.2M8 7.9v.2M8 12.4v.2',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.4v1.2M8 13.4v1.2M1.4 8h1.2M13.4 8h1.2M3.3 3.3l.9.9M11.8 11.8l.9.9M3.3 12.7l.9-.9M11.8 4.2l.9-.9',
  moon: 'M13 9.7A5.6 5.6 0 0 1 6.3 3 5.6 5.6 0 1 0 13 9.7Z',
  zoomOut: 'M7 2.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8ZM10.2 10.2l3.4 3.4M5 7h4',
  info: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 7.2v3.6M8 5v.2',
  warning: 'M8 2.2 14.2 13H1.8L8 2.2ZM8 6.4v3M8 11.2v.2',
  search: 'M7 2.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8ZM10.2 10.2l3.4 3.4',
  grid: 'M2.5 2.5h4.4v4.4H2.5zM9.1 2.5h4.4v4.4H9.1zM2.5 9.1h4.4v4.4H2.5zM9.1 9.1h4.4v4.4H9.1z',
  compass: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM10.6 5.4 9 9l-3.6 1.6L7 7l3.6-1.6Z',
  spans: 'M2 3.6h8M4.5 8h6.5M8 12.4h6',
  check: 'm3 8.4 3.3 3.3L13 4.8',
  plus: 'M8 3v10M3 8h10',
  trash: 'M2.8 4.4h10.4M6.2 4.4V2.8h3.6v1.6M4.2 4.4l.6 8.8h6.4l.6-8.8',
  play: 'M4.6 2.8v10.4L13 8 4.6 2.8Z',
  help: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM6.3 6.3a1.75 1.75 0 1 1 2.6 1.5c-.6.3-.9.7-.9 1.3M8 11.2v.2',
  expand: 'M9.6 2.6h3.8v3.8M13.4 2.6 9.4 6.6M6.4 13.4H2.6V9.6M2.6 13.4l4-4',
  left: 'M9.8 4 6 8l3.8 4',
  right: 'M6.2 4 10 8l-3.8 4',
};

export function Icon({
  name,
  size = 16,
}: {
  name: keyof typeof PATHS | string;
  size?: number;
}): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name] ?? ''} />
    </svg>
  );
}

/* The mark: a sounding line into a wave. */
export function Logo(): JSX.Element {
  return (
    <svg class="logo" width="22" height="22" viewBox="0 0 24 24" aria-hidden="true">
      <path
        class="logo-wave"
        d="M2 12c2.2 0 2.2-5 4.4-5s2.2 10 4.5 10 2.2-13 4.4-13 2.2 8 4.4 8H22"
      />
    </svg>
  );
}
