/* The text area for PromQL: grows with its text, runs with Ctrl-Enter, marks where an error is. */
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

export interface EditorProps {
  value: string;
  onChange: (value: string) => void;
  onRun: (value: string) => void;
  error?: { line: number; column: number };
  autofocus?: boolean;
}

export function ExpressionEditor({ value, onChange, onRun, error, autofocus }: EditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const node = area.current!;
    node.style.height = 'auto';
    node.style.height = `${node.scrollHeight + 2}px`;
  }, [value]);
  useEffect(() => {
    if (autofocus) {
      area.current?.focus();
    }
  }, []);
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onRun(area.current!.value);
    }
  };
  return (
    <div class={error ? 'editor bad' : 'editor'}>
      <textarea
        ref={area}
        rows={1}
        value={value}
        placeholder="Expression, e.g. rate(node_network_receive_bytes_total[1m])"
        aria-label="PromQL expression"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        onInput={(e) => onChange(e.currentTarget.value)}
        onKeyDown={onKey}
      />
    </div>
  );
}
