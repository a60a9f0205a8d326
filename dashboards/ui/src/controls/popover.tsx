/* A button with a box below it: menus and pickers. Escape and clicks elsewhere close it. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface PopoverProps {
  label: ComponentChildren;
  title: string;
  buttonClass?: string;
  boxClass?: string;
  align?: 'left' | 'right';
  id?: string;
  children: (close: () => void) => ComponentChildren;
}

const EDGE_PX = 8;

export function Popover(props: PopoverProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const host = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };

  useEffect(() => {
    if (!open) {
      return;
    }
    const outside = (event: Event) => {
      if (!host.current?.contains(event.target as Node)) {
        setOpen(false);
      }
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && open) {
      event.stopPropagation();
      close();
    } else if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      moveFocus(host.current!, event);
    }
  };

  return (
    <div class="popover" ref={host} onKeyDown={onKey}>
      <button
        type="button"
        id={props.id}
        ref={button}
        class={props.buttonClass ?? 'button'}
        title={props.title}
        aria-label={props.title}
        aria-haspopup="true"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {props.label}
      </button>
      {open && (
        <Box className={props.boxClass} align={props.align}>
          {props.children(close)}
        </Box>
      )}
    </div>
  );
}

function Box({
  className,
  align,
  children,
}: {
  className?: string;
  align?: string;
  children: ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const node = box.current!;
    const { left, right } = node.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    if (right > width - EDGE_PX) {
      node.style.transform = `translateX(${width - EDGE_PX - right}px)`;
    } else if (left < EDGE_PX) {
      node.style.transform = `translateX(${EDGE_PX - left}px)`;
    }
    node
      .querySelector<HTMLElement>('[autofocus], [aria-selected="true"], input, button')
      ?.focus({ preventScroll: true });
  }, []);
  return (
    <div
      class={`popover-box ${align === 'right' ? 'align-right' : ''} ${className ?? ''}`}
      ref={box}
    >
      {children}
    </div>
  );
}

/* Arrow keys walk through the buttons of the box. */
function moveFocus(host: HTMLElement, event: KeyboardEvent): void {
  const items = [...host.querySelectorAll<HTMLElement>('.popover-box button:not([disabled])')];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const isText = document.activeElement instanceof HTMLInputElement && event.key === 'ArrowUp';
  if (items.length === 0 || isText) {
    return;
  }
  event.preventDefault();
  const next = event.key === 'ArrowDown' ? at + 1 : at < 0 ? items.length - 1 : at - 1;
  items[(next + items.length) % items.length]!.focus();
}
