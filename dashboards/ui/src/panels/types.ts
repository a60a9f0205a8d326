import type { ComponentChildren } from 'preact';
import type { Theme } from '../model/color';
import type { Panel } from '../model/dashboard';
import type { TimeWindow } from '../model/time';
import type { PanelData } from '../panel_data';

/* What every kind of panel is given to draw its body. */
export interface PanelProps {
  panel: Panel;
  data: PanelData;
  theme: Theme;
  window: TimeWindow;
  /* Of the body, in pixels. */
  width: number;
  height: number;
  syncKey?: string;
  /* The legend is not cut to the height: the page grows instead. */
  longLegend?: boolean;
  onZoom?: (fromMs: number, toMs: number) => void;
}

export type PanelBody = (props: PanelProps) => ComponentChildren;
