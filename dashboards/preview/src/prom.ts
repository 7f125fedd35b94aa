// A Prometheus data source for scenes, written from the Prometheus HTTP API documentation.
import { DataFrame, DataQueryRequest, DataQueryResponse, FieldType, MetricFindValue, rangeUtil, toDataFrame } from '@grafana/data';
import { RuntimeDataSource, SceneObject, sceneGraph } from '@grafana/scenes';

type Labels = Record<string, string>;
type Histogram = { buckets?: Array<[number, string, string, string]> };
type Series = { metric: Labels; values?: Array<[number, string]>; value?: [number, string]; histograms?: Array<[number, Histogram]>; histogram?: [number, Histogram] };
export type Canned = { from: number; to: number; replies: Record<string, unknown> };

const escapeRegex = (s: string) => s.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
const inString = (s: string) => s.replace(/\\/g, '\\\\').replace(/"/g, '\\"');

/** Default formatting of a variable inside PromQL: literal when single, escaped regex when multi-value. */
export function promFormat(value: unknown, variable: { multi?: boolean; includeAll?: boolean }): string {
  if (Array.isArray(value)) {
    const parts = value.map((v) => inString(escapeRegex(String(v))));
    return parts.length === 1 ? parts[0] : `(${parts.join('|')})`;
  }
  return variable.multi || variable.includeAll ? inString(escapeRegex(String(value))) : inString(String(value));
}

const pointsOf = (s: Series) => s.values ?? (s.value ? [s.value] : []);
const num = (s: string) => (s === '+Inf' ? Infinity : s === '-Inf' ? -Infinity : Number(s));

function fullName({ __name__ = '', ...labels }: Labels): string {
  const inner = Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(', ');
  return inner ? `${__name__}{${inner}}` : __name__;
}

function legend(format: string | undefined, labels: Labels, expr: string, alone: boolean): string | undefined {
  if (format === '__auto') {
    return alone && !Object.keys(labels).length ? expr : undefined;
  }
  return format ? format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, k) => labels[k] ?? '') : fullName(labels) || expr;
}

function seriesFrames(result: Series[], refId: string, expr: string, format: string | undefined, stepMs: number): DataFrame[] {
  return result.map((s) => {
    const points = pointsOf(s);
    const displayNameFromDS = legend(format, s.metric, expr, result.length === 1);
    return toDataFrame({
      refId, name: displayNameFromDS, meta: { type: 'timeseries-multi' },
      fields: [
        { name: 'Time', type: FieldType.time, values: points.map((p) => p[0] * 1000), config: { interval: stepMs } },
        // What is not a number is a gap; one of them would leave the axis without a scale.
        { name: 'Value', type: FieldType.number, values: points.map((p) => num(p[1])).map((v) => (Number.isNaN(v) ? null : v)), labels: s.metric, config: { displayNameFromDS } },
      ],
    });
  });
}

function tableFrame(result: Series[], refId: string, valueName: string): DataFrame {
  const names = [...new Set(result.flatMap((s) => Object.keys(s.metric)))].sort();
  const rows = result.flatMap((s) => (pointsOf(s)).map((p) => ({ metric: s.metric, p })));
  return toDataFrame({
    refId, meta: { preferredVisualisationType: 'table' },
    fields: [
      { name: 'Time', type: FieldType.time, values: rows.map((r) => r.p[0] * 1000) },
      ...names.map((n) => ({ name: n, type: FieldType.string, values: rows.map((r) => r.metric[n] ?? ''), config: { filterable: true } })),
      { name: valueName, type: FieldType.number, values: rows.map((r) => num(r.p[1])) },
    ],
  });
}

/** Native histograms to one frame of counts per bucket, lowest bucket first. */
function nativeFrame(result: Series[], refId: string, stepMs: number): DataFrame {
  const points = result.flatMap((s) => s.histograms ?? (s.histogram ? [s.histogram] : []));
  const times = [...new Set(points.map(([t]) => t))].sort((a, b) => a - b);
  const rows = new Map<number, number[]>();
  for (const [t, h] of points) {
    for (const [, , high, count] of h.buckets ?? []) {
      const row = rows.get(num(high)) ?? times.map(() => 0);
      row[times.indexOf(t)] += num(count);
      rows.set(num(high), row);
    }
  }
  const fields = [...rows].sort(([a], [b]) => a - b).map(([high, values]) => ({ name: String(high), type: FieldType.number, values }));
  return toDataFrame({
    refId, meta: { type: 'heatmap-rows' },
    fields: [{ name: 'Time', type: FieldType.time, values: times.map((t) => t * 1000), config: { interval: stepMs } }, ...fields],
  });
}

/** Cumulative `le` buckets to one frame of counts per bucket, lowest bucket first. */
function bucketFrame(result: Series[], refId: string, stepMs: number): DataFrame {
  const sorted = [...result].sort((a, b) => num(a.metric.le) - num(b.metric.le));
  const times = [...new Set(sorted.flatMap((s) => (pointsOf(s)).map((p) => p[0])))].sort((a, b) => a - b);
  let below = times.map(() => 0);
  const fields = sorted.map((s) => {
    const at = new Map((pointsOf(s)).map((p) => [p[0], num(p[1])]));
    const total = times.map((t, i) => at.get(t) ?? below[i]);
    const values = total.map((v, i) => Math.max(0, v - below[i]));
    below = total;
    return { name: s.metric.le, type: FieldType.number, values };
  });
  return toDataFrame({
    refId, meta: { type: 'heatmap-rows' },
    fields: [{ name: 'Time', type: FieldType.time, values: times.map((t) => t * 1000), config: { interval: stepMs } }, ...fields],
  });
}

export class PrometheusSource extends RuntimeDataSource {
  interval: string;
  busy = 0;
  recorded: Record<string, unknown> = {};

  constructor(uid: string, private url: string, scrape: string, private canned?: Canned, name = 'Prometheus') {
    super('prometheus', uid);
    Object.assign(this, { name });
    this.interval = scrape;
  }

  /** `name` identifies the request among canned replies. */
  private async api(path: string, params: Record<string, string> = {}, name = params.query ?? params['match[]'] ?? ''): Promise<any> {
    const key = `${path}|${name}`;
    this.busy++;
    try {
      const reply: any = this.canned
        ? this.canned.replies[key] ?? { status: 'error', error: `no canned reply for ${key}` }
        : await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(params)}`).then((r) => r.json());
      this.recorded[key] = reply;
      if (reply.status !== 'success') {
        throw new Error(reply.error);
      }
      return reply.data;
    } finally {
      this.busy--;
    }
  }

  query(request: DataQueryRequest): Promise<DataQueryResponse> {
    return this.run(request);
  }

  private async run(request: DataQueryRequest): Promise<DataQueryResponse> {
    const scene = request.scopedVars.__sceneObject?.value.valueOf() as SceneObject;
    const targets = (request.targets as any[]).filter((t) => !t.hide && t.expr);
    const errors: any[] = [];
    const perTarget = await Promise.all(targets.map((t) => this.runTarget(t, request, scene, targets.length).catch((e) => {
      errors.push({ message: String(e.message ?? e), refId: t.refId });
      return [];
    })));
    return { data: perTarget.flat(), errors };
  }

  private async runTarget(t: any, request: DataQueryRequest, scene: SceneObject, count: number): Promise<DataFrame[]> {
    const range = { from: request.range.from.valueOf() / 1000, to: request.range.to.valueOf() / 1000 };
    const seconds = (s: string) => rangeUtil.intervalToSeconds(sceneGraph.interpolate(scene, s));
    const minStep = t.interval ? seconds(t.interval) : seconds(this.interval);
    const step = Math.max(minStep, (request.intervalMs / 1000) * (t.intervalFactor ?? 1), (range.to - range.from) / 11000);
    const rate = Math.max(step + minStep, 4 * minStep);
    const span = Math.round(range.to - range.from);
    const text = (value: string | number) => ({ text: String(value), value });
    const times = {
      __interval: text(`${step}s`), __interval_ms: text(step * 1000), __rate_interval: text(`${rate}s`),
      __range: text(`${span}s`), __range_s: text(span), __range_ms: text(span * 1000),
    };
    const vars = { ...request.scopedVars, ...times };
    const expr = sceneGraph.interpolate(scene, t.expr, vars, promFormat as any);
    // Intervals depend on the panel's width, so canned replies are named with these left as written.
    const unset = Object.fromEntries(Object.keys(times).map((k) => [k, text(`$${k}`)]));
    const name = sceneGraph.interpolate(scene, t.expr, { ...vars, ...unset }, promFormat as any);
    const format = t.legendFormat && sceneGraph.interpolate(scene, t.legendFormat, vars);
    const frames: DataFrame[] = [];
    const add = (result: Series[]) => {
      if (t.format === 'table') {
        frames.push(tableFrame(result, t.refId, count > 1 ? `Value #${t.refId}` : 'Value'));
      } else if (t.format === 'heatmap') {
        const isNative = result.some((s) => s.histograms ?? s.histogram);
        frames.push((isNative ? nativeFrame : bucketFrame)(result, t.refId, step * 1000));
      } else {
        frames.push(...seriesFrames(result, t.refId, expr, format, step * 1000));
      }
    };
    if (t.instant) {
      const data = await this.api('query', { query: expr, time: String(range.to) }, name);
      add(data.resultType === 'scalar' ? [{ metric: {}, value: data.result }] : data.result);
    }
    if (t.range || !t.instant) {
      const align = (s: number) => String(Math.floor(s / step) * step);
      add((await this.api('query_range', { query: expr, start: align(range.from), end: align(range.to), step: String(step) }, name)).result);
    }
    return frames;
  }

  /** Variable queries: label_values, label_names, metrics and query_result. */
  async metricFindQuery(query: any, options: any): Promise<MetricFindValue[]> {
    const scene = options.scopedVars.__sceneObject?.value.valueOf() as SceneObject;
    const q = sceneGraph.interpolate(scene, typeof query === 'string' ? query : query?.query ?? '', options.scopedVars, promFormat as any).trim();
    const values = /^label_values\((?:(.+),)?\s*([\w.]+)\s*\)$/s.exec(q);
    if (values) {
      return list(await this.api(`label/${values[2]}/values`, values[1] ? { 'match[]': values[1].trim() } : {}));
    }
    if (/^label_names\(\s*\)$/.test(q)) {
      return list(await this.api('labels'));
    }
    const metrics = /^metrics\((.*)\)$/.exec(q);
    if (metrics) {
      return list((await this.api('label/__name__/values')).filter((n: string) => new RegExp(metrics[1]).test(n)));
    }
    const result = /^query_result\((.+)\)$/s.exec(q);
    const data = await this.api('query', { query: result ? result[1] : q });
    return list(data.result.map((s: Series) => `${fullName(s.metric)} ${s.value![1]} ${s.value![0] * 1000}`));
  }
}

const list = (names: string[]) => names.map((text) => ({ text }));
