/* Answers of the Prometheus HTTP API. */
import type { Labels } from '../model/legend';

export type Sample = [seconds: number, value: string];

export interface MatrixSeries {
  metric: Labels;
  values: Sample[];
}

export interface VectorSeries {
  metric: Labels;
  value: Sample;
}

export type QueryData =
  | { resultType: 'matrix'; result: MatrixSeries[] }
  | { resultType: 'vector'; result: VectorSeries[] }
  | { resultType: 'scalar'; result: Sample }
  | { resultType: 'string'; result: Sample };

export interface QueryAnswer {
  data: QueryData;
  warnings: string[];
  infos: string[];
  /* From request to parsed answer. */
  elapsedMs: number;
}

export interface BuildInfo {
  version?: string;
  revision?: string;
}

export interface MetricMetadata {
  type: string;
  help: string;
  unit: string;
}
