/* The editor for PromQL: a plain text area with a coloured copy of its text behind it, completion
 * below the caret, a mark where the server found an error. Ctrl-Enter runs, Enter picks or runs.
 *
 * A full editor component (CodeMirror with its PromQL package) was 147 KiB compressed, more than
 * all of this page; a text area also keeps the browser's own undo, spelling of keys and touch
 * keyboard. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import {
  completionContext,
  insertCandidate,
  type Candidate,
  type CompletionContext,
} from '../model/completion';
import { tokenize } from '../model/promql';
import { candidates } from './completion';

export interface EditorProps {
  value: string;
  onChange: (value: string) => void;
  onRun: (value: string) => void;
  error?: { line: number; column: number };
  autofocus?: boolean;
}

interface Open {
  context: CompletionContext;
  list: Candidate[];
  chosen: number;
  left: number;
  top: number;
}

/* Longer texts are not coloured: the copy must keep up with typing. */
const COLOURED_MAX = 20_000;

export function ExpressionEditor({ value, onChange, onRun, error, autofocus }: EditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const copy = useRef<HTMLPreElement>(null);
  const [open, setOpen] = useState<Open | undefined>();
  const asked = useRef(0);
  const caretAfter = useRef<number | undefined>(undefined);

  useLayoutEffect(() => {
    const node = area.current!;
    node.style.height = 'auto';
    node.style.height = `${node.scrollHeight + 2}px`;
    if (caretAfter.current !== undefined) {
      node.setSelectionRange(caretAfter.current, caretAfter.current);
      caretAfter.current = undefined;
    }
  }, [value]);
  useEffect(() => {
    if (autofocus) {
      area.current?.focus();
    }
  }, []);

  const suggest = async (text: string, caret: number) => {
    const mine = ++asked.current;
    const context = completionContext(text, caret);
    const list = context.kind === 'none' ? [] : await candidates(context);
    if (mine !== asked.current) {
      return;
    }
    const finished = list.length === 1 && list[0]!.text === context.prefix;
    if (list.length === 0 || finished || document.activeElement !== area.current) {
      setOpen(undefined);
      return;
    }
    setOpen({ context, list, chosen: 0, ...caretPlace(area.current!, text, context.from) });
  };
  const onInput = (event: InputEvent) => {
    const node = event.currentTarget as HTMLTextAreaElement;
    onChange(node.value);
    void suggest(node.value, node.selectionStart);
  };
  const close = () => {
    asked.current++;
    setOpen(undefined);
  };
  const take = (candidate: Candidate) => {
    const next = insertCandidate(value, open!.context, candidate);
    caretAfter.current = next.caret;
    onChange(next.text);
    setOpen(undefined);
    area.current!.focus();
    if (candidate.kind === 'label') {
      void suggest(next.text, next.caret);
    }
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      close();
      onRun(area.current!.value);
    } else if (event.key === ' ' && event.ctrlKey) {
      event.preventDefault();
      void suggest(value, area.current!.selectionStart);
    } else if (open) {
      onListKey(event, open, setOpen, take, close);
    } else if (event.key === 'Enter' && !event.shiftKey && !value.includes('\n')) {
      event.preventDefault();
      onRun(area.current!.value);
    }
  };
  const onScroll = () => {
    copy.current!.scrollTop = area.current!.scrollTop;
  };

  return (
    <div class={error ? 'editor bad' : 'editor'}>
      <pre class="editor-copy" ref={copy} aria-hidden="true">
        {coloured(value, error)}
      </pre>
      <textarea
        ref={area}
        rows={1}
        value={value}
        placeholder="Expression, e.g. rate(node_network_receive_bytes_total[1m])"
        aria-label="PromQL expression"
        aria-autocomplete="list"
        aria-expanded={open !== undefined}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        onInput={onInput}
        onKeyDown={onKey}
        onScroll={onScroll}
        onBlur={close}
        onClick={close}
      />
      {open && <List open={open} onTake={take} />}
    </div>
  );
}

function onListKey(
  event: KeyboardEvent,
  open: Open,
  setOpen: (open: Open) => void,
  take: (c: Candidate) => void,
  close: () => void,
): void {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
  if (step !== undefined) {
    event.preventDefault();
    const last = open.list.length - 1;
    const wrapped =
      Math.abs(step) === 1
        ? (open.chosen + step + open.list.length) % open.list.length
        : open.chosen + step;
    setOpen({ ...open, chosen: Math.min(last, Math.max(0, wrapped)) });
  } else if (event.key === 'Enter' || event.key === 'Tab') {
    event.preventDefault();
    take(open.list[open.chosen]!);
  } else if (event.key === 'Escape') {
    event.preventDefault();
    event.stopPropagation();
    close();
  }
}

function coloured(value: string, error: EditorProps['error']) {
  if (value.length > COLOURED_MAX) {
    return value;
  }
  const at = error ? offsetOf(value, error) : -1;
  // The last line needs a character to be as high as in the text area.
  return [
    ...tokenize(value).map((t) => {
      const marked = at >= t.start && at < t.start + t.text.length;
      return <span class={`token-${t.kind}${marked ? ' token-error' : ''}`}>{t.text}</span>;
    }),
    at >= value.length && <span class="token-error"> </span>,
    '\n',
  ];
}

function offsetOf(text: string, { line, column }: { line: number; column: number }): number {
  const lines = text.split('\n');
  return lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0) + column - 1;
}

/* Where a character stands inside the editor, measured in a copy of the text area. */
function caretPlace(
  area: HTMLTextAreaElement,
  text: string,
  at: number,
): { left: number; top: number } {
  const ghost = document.createElement('pre');
  ghost.className = 'editor-copy ghost';
  const marker = document.createElement('span');
  marker.textContent = '\u200b';
  ghost.append(text.slice(0, at), marker);
  area.parentElement!.append(ghost);
  const place = {
    left: marker.offsetLeft,
    top: marker.offsetTop + marker.offsetHeight - area.scrollTop,
  };
  ghost.remove();
  return place;
}

function List({ open, onTake }: { open: Open; onTake: (candidate: Candidate) => void }) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    list.current!.children[open.chosen]?.scrollIntoView({ block: 'nearest' });
    const node = list.current!;
    const overflow = node.getBoundingClientRect().right - document.documentElement.clientWidth + 8;
    node.style.marginLeft = overflow > 0 ? `${-overflow}px` : '';
  }, [open]);
  return (
    <div
      class="completion"
      role="listbox"
      ref={list}
      style={{ left: `${open.left}px`, top: `${open.top + 4}px` }}
    >
      {open.list.map((candidate, i) => (
        <div
          key={candidate.text}
          role="option"
          class={i === open.chosen ? 'chosen' : ''}
          aria-selected={i === open.chosen}
          onMouseDown={(event) => {
            event.preventDefault();
            onTake(candidate);
          }}
        >
          <i class={`completion-kind ${candidate.kind}`}>{candidate.kind[0]}</i>
          <span class="completion-text">{candidate.text}</span>
          <small>{candidate.detail}</small>
        </div>
      ))}
    </div>
  );
}
