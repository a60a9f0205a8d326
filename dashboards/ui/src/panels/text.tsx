/* Text panels: the part of Markdown that dashboards use, as elements.
 *
 * Nothing is ever put into the page as HTML: what is not understood stays visible as text, so a
 * dashboard file from anywhere cannot run anything here.
 */
import type { ComponentChildren } from 'preact';
import { interpolate } from '../model/interpolate';
import type { PanelProps } from './types';

export function TextPanel({ panel, data }: PanelProps) {
  const content = interpolate(String(panel.options.content ?? ''), data.scope, 'text');
  const source = panel.options.mode === 'html' ? stripTags(content) : content;
  return <div class="text-panel">{markdown(source)}</div>;
}

function stripTags(html: string): string {
  const body = new DOMParser().parseFromString(html, 'text/html').body;
  return body.textContent ?? '';
}

function markdown(source: string): ComponentChildren[] {
  const blocks: ComponentChildren[] = [];
  const lines = source.replace(/\r/g, '').split('\n');
  for (let i = 0; i < lines.length;) {
    const line = lines[i]!;
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (line.startsWith('```')) {
      const end = lines.findIndex((l, at) => at > i && l.startsWith('```'));
      const stop = end === -1 ? lines.length : end;
      blocks.push(<pre>{lines.slice(i + 1, stop).join('\n')}</pre>);
      i = stop + 1;
    } else if (heading) {
      const Level = `h${Math.min(6, heading[1]!.length + 2)}` as 'h3';
      blocks.push(<Level>{inline(heading[2]!)}</Level>);
      i++;
    } else if (/^\s*([-*]|\d+\.)\s+/.test(line)) {
      const items: ComponentChildren[] = [];
      for (; i < lines.length && /^\s*([-*]|\d+\.)\s+/.test(lines[i]!); i++) {
        items.push(<li>{inline(lines[i]!.replace(/^\s*([-*]|\d+\.)\s+/, ''))}</li>);
      }
      blocks.push(/^\s*\d/.test(line) ? <ol>{items}</ol> : <ul>{items}</ul>);
    } else if (line.trim() === '') {
      i++;
    } else {
      const start = i;
      while (
        i < lines.length &&
        lines[i]!.trim() !== '' &&
        !/^(#{1,6}\s|```|\s*[-*]\s)/.test(lines[i]!)
      ) {
        i++;
      }
      i = Math.max(i, start + 1);
      blocks.push(<p>{inline(lines.slice(start, i).join(' '))}</p>);
    }
  }
  return blocks;
}

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

function inline(text: string): ComponentChildren[] {
  const out: ComponentChildren[] = [];
  let last = 0;
  for (const m of text.matchAll(INLINE)) {
    out.push(text.slice(last, m.index));
    const [whole, code, bold, italic, label, href] = m;
    if (code) {
      out.push(<code>{code}</code>);
    } else if (bold) {
      out.push(<strong>{bold}</strong>);
    } else if (italic) {
      out.push(<em>{italic}</em>);
    } else if (/^(https?:|\.{0,2}\/|#|\?)/.test(href!)) {
      out.push(
        <a href={href} rel="noreferrer noopener">
          {label}
        </a>,
      );
    } else {
      out.push(whole);
    }
    last = m.index + whole.length;
  }
  out.push(text.slice(last));
  return out;
}
