// Panel types as runtime plugins: @grafana/ui components where they exist, small SVG or uPlot drawings where they do not.
import {
  DataFrame, Field, FieldColorModeId, FieldDisplay, FieldType, PanelPlugin, PanelProps, VizOrientation, cacheFieldDisplayNames, formattedValueToString,
  getDisplayValueAlignmentFactors, getFieldColorModeForField, getFieldDisplayName, getFieldDisplayValues, getValueFormat, renderMarkdown, textUtil,
} from '@grafana/data';
import { registerRuntimePanelPlugin } from '@grafana/scenes';
import { AxisPlacement, LegendDisplayMode, ScaleDirection, ScaleOrientation, TooltipDisplayMode } from '@grafana/schema';
import {
  BarGauge, BigValue, TimeSeries, TooltipPlugin2, UPlotChart, UPlotConfigBuilder, VizLayout, VizLegend, VizRepeater,
  VizTooltipContent, VizTooltipHeader, VizTooltipWrapper, getFieldDisplayItems, getTextColorForBackground, usePanelContext, useTheme2,
} from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { ComponentType, ReactElement, useMemo } from 'react';
import { option } from './env';
import { NodeGraph } from './nodegraph';

type Props = PanelProps<any>;
type Values = { render: (v: FieldDisplay, width: number, height: number, align: any, count: number) => ReactElement; spacing?: number; minHeight?: number; minWidth?: number; maxHeight?: number; autoGrid?: boolean };

const noData = (text = 'No data') => <div style={{ height: '100%', display: 'flex', alignItems: 'center', justifyContent: 'center', opacity: 0.65 }}>{text}</div>;
const numeric = (f: Field) => f.type === FieldType.number;
const shown = (f: Field) => !f.config.custom?.hideFrom?.viz;

function useValues({ data, options, fieldConfig, replaceVariables, timeZone, timeRange }: Props, sparkline = false): FieldDisplay[] {
  const theme = useTheme2();
  const values = getFieldDisplayValues({
    data: data.series, fieldConfig, replaceVariables, theme, timeZone, sparkline, percentChange: options.showPercentChange,
    reduceOptions: { calcs: ['lastNotNull'], values: false, ...options.reduceOptions },
  });
  values.forEach((v) => { if (v.sparkline) { v.sparkline.timeRange = timeRange; } });
  return values;
}

function Repeated({ props, values, of }: { props: Props; values: FieldDisplay[]; of: Values }) {
  const { width, height, renderCounter, options, data } = props;
  return (
    <VizRepeater
      source={data} getValues={() => values} getAlignmentFactors={getDisplayValueAlignmentFactors as any} renderCounter={renderCounter}
      width={width} height={height} orientation={options.orientation ?? VizOrientation.Auto} itemSpacing={of.spacing ?? 3}
      autoGrid={of.autoGrid} minVizHeight={of.minHeight} minVizWidth={of.minWidth} maxVizHeight={of.maxHeight}
      renderValue={(r: any) => of.render(r.value, r.width, r.height, r.alignmentFactors, r.count)}
    />
  );
}

function Stat(props: Props) {
  const theme = useTheme2();
  const o = props.options;
  const values = useValues(props, o.graphMode !== 'none');
  if (!props.data.series.some((f) => f.length)) { return noData(props.fieldConfig.defaults.noValue); }
  return <Repeated props={props} values={values} of={{ autoGrid: true, render: (v, width, height, align, count) => (
    <BigValue theme={theme} value={v.display} sparkline={v.sparkline} width={width} height={height} count={count} alignmentFactors={align}
      colorMode={o.colorMode} graphMode={o.graphMode} justifyMode={o.justifyMode} textMode={o.textMode} text={o.text}
      percentChangeColorMode={o.percentChangeColorMode} disableWideLayout={o.wideLayout === false} />
  ) }} />;
}

function Bars(props: Props) {
  const theme = useTheme2();
  const o = props.options;
  const values = useValues(props);
  if (!props.data.series.some((f) => f.length)) { return noData(props.fieldConfig.defaults.noValue); }
  return <Repeated props={props} values={values} of={{
    spacing: o.displayMode === 'lcd' ? 2 : 10, minHeight: o.minVizHeight, minWidth: o.minVizWidth, maxHeight: o.maxVizHeight,
    render: (v, width, height, align) => (
      <BarGauge theme={theme} value={v.display} field={v.field} width={width} height={height} alignmentFactors={align} lcdCellWidth={12}
        display={v.view?.getFieldDisplayProcessor(v.colIndex ?? 0)} orientation={barOrientation(o.orientation, props)} displayMode={o.displayMode}
        itemSpacing={o.displayMode === 'lcd' ? 2 : 10} showUnfilled={o.showUnfilled} valueDisplayMode={o.valueMode} namePlacement={o.namePlacement} text={o.text} />
    ),
  }} />;
}

const barOrientation = (o: VizOrientation, { width, height }: Props) =>
  o && o !== VizOrientation.Auto ? o : width > height ? VizOrientation.Vertical : VizOrientation.Horizontal;

const polar = (cx: number, cy: number, r: number, a: number) => [cx + r * Math.sin(a), cy - r * Math.cos(a)];

/** A ring segment from angle a to b, radians clockwise from the top. */
function segment(cx: number, cy: number, inner: number, outer: number, a: number, b: number): string {
  const end = Math.min(b, a + 2 * Math.PI - 1e-4);
  const large = end - a > Math.PI ? 1 : 0;
  const [x0, y0] = polar(cx, cy, outer, a);
  const [x1, y1] = polar(cx, cy, outer, end);
  const [x2, y2] = polar(cx, cy, inner, end);
  const [x3, y3] = polar(cx, cy, inner, a);
  return `M${x0},${y0}A${outer},${outer} 0 ${large} 1 ${x1},${y1}L${x2},${y2}A${inner},${inner} 0 ${large} 0 ${x3},${y3}Z`;
}

function Gauge(props: Props) {
  const theme = useTheme2();
  const o = props.options;
  const start = -0.7 * Math.PI;
  const sweep = 1.4 * Math.PI;
  return <Repeated props={props} values={useValues(props)} of={{ autoGrid: true, minWidth: 75, minHeight: 75, render: (v, width, height) => {
    const { thresholds } = v.field;
    const [min, max] = [v.field.min ?? 0, v.field.max ?? 100];
    const at = (x: number) => start + sweep * Math.min(1, Math.max(0, (x - min) / (max - min || 1)));
    const title = v.display.title && (props.data.series.length > 1 || o.text?.titleSize) ? v.display.title : '';
    const h = title ? height - 18 : height;
    const outer = Math.min(width / 2, h / 1.65) * 0.95;
    const inner = outer * 0.72;
    const [cx, cy] = [width / 2, outer * 1.08];
    const steps = (thresholds?.steps ?? []).map((s) => ({ ...s, value: thresholds!.mode === 'percentage' ? min + (s.value / 100) * (max - min) : s.value }));
    const text = formattedValueToString(v.display);
    return (
      <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
        <path d={segment(cx, cy, inner, outer, start, start + sweep)} fill={theme.colors.background.secondary} />
        <path d={segment(cx, cy, inner, outer, start, at(v.display.numeric))} fill={v.display.color} />
        {o.showThresholdMarkers !== false && steps.map((s, i) => (
          <path key={i} d={segment(cx, cy, outer * 1.02, outer * 1.07, at(Math.max(s.value, min)), at(steps[i + 1]?.value ?? max))} fill={theme.visualization.getColorByName(s.color)} />
        ))}
        <text x={cx} y={cy + outer * 0.12} textAnchor="middle" fontSize={Math.min(outer * 0.45, (inner * 3.1) / text.length)} fontWeight={500} fill={v.display.color}>{text}</text>
        {title && <text x={cx} y={height - 4} textAnchor="middle" fontSize={14} fill={theme.colors.text.primary}>{title}</text>}
      </svg>
    );
  } }} />;
}

/** Called, not rendered: VizLayout reads the placement off the legend element itself, so a wrapper component would hide it. */
function legendOf(items: any[], { legend: l = {} }: any) {
  if (l.showLegend === false) { return null; }
  return (
    <VizLayout.Legend placement={l.placement ?? 'bottom'} width={l.width} maxHeight="35%">
      <VizLegend items={items} placement={l.placement ?? 'bottom'} displayMode={l.displayMode ?? LegendDisplayMode.List} seriesVisibilityChangeBehavior={0} />
    </VizLayout.Legend>
  );
}

function Pie(props: Props) {
  const theme = useTheme2();
  const { width, height, options } = props;
  const values = useValues(props).filter((v) => !v.field.custom?.hideFrom?.viz && v.display.numeric > 0);
  const total = values.reduce((sum, v) => sum + v.display.numeric, 0);
  const wanted: string[] = options.legend?.values ?? [];
  const items = values.map((v) => ({
    label: v.display.title ?? '', color: v.display.color, yAxis: 1,
    getDisplayValues: () => [
      ...(wanted.includes('value') ? [{ ...v.display, title: 'Value' }] : []),
      ...(wanted.includes('percent') ? [{ numeric: v.display.numeric / total, text: ((v.display.numeric / total) * 100).toFixed(0), suffix: '%', title: 'Percent' }] : []),
    ],
  }));
  const labels: string[] = options.displayLabels ?? [];
  if (!values.length) { return noData(); }
  return (
    <VizLayout width={width} height={height} legend={legendOf(items, options)}>
      {(w, h) => {
        const r = Math.min(w, h) / 2 - 4;
        let angle = 0;
        return (
          <svg width={w} height={h} fontFamily={theme.typography.fontFamily}>
            {values.map((v, i) => {
              const a = angle;
              angle += (2 * Math.PI * v.display.numeric) / total;
              const [x, y] = polar(w / 2, h / 2, r * (options.pieType === 'donut' ? 0.8 : 0.6), (a + angle) / 2);
              const parts = [labels.includes('name') && v.display.title, labels.includes('value') && formattedValueToString(v.display), labels.includes('percent') && `${((v.display.numeric / total) * 100).toFixed(0)}%`].filter(Boolean);
              return (
                <g key={i}>
                  <path d={segment(w / 2, h / 2, options.pieType === 'donut' ? r * 0.6 : 0, r, a, angle)} fill={v.display.color} stroke={theme.colors.background.primary} strokeWidth={1} />
                  {angle - a > 0.3 && parts.map((p, j) => <text key={j} x={x} y={y + j * 14} textAnchor="middle" fontSize={12} fill={getTextColorForBackground(v.display.color ?? '#000')}>{p}</text>)}
                </g>
              );
            })}
          </svg>
        );
      }}
    </VizLayout>
  );
}

function Series(props: Props) {
  const { data, options, width, height, timeRange, timeZone } = props;
  const { sync, eventsScope } = usePanelContext();
  const frames = useMemo(() => data.series
    .filter((f) => f.length && f.fields.some((x) => x.type === FieldType.time))
    .map((f) => ({ ...f, fields: f.fields.filter((x) => x.type === FieldType.time || numeric(x)) }))
    .filter((f) => f.fields.some(numeric)), [data.series]);
  if (!frames.length) { return noData(props.fieldConfig.defaults.noValue); }
  const mode = options.tooltip?.mode ?? TooltipDisplayMode.Single;
  return (
    <TimeSeries frames={frames} structureRev={data.structureRev} width={width} height={height} timeRange={timeRange} timeZone={timeZone}
      legend={{ showLegend: true, displayMode: LegendDisplayMode.List, placement: 'bottom', calcs: [], ...options.legend }} options={options}>
      {(config, aligned) => mode === TooltipDisplayMode.None ? null : (
        <TooltipPlugin2 config={config} hoverMode={mode === TooltipDisplayMode.Multi ? 1 : 0} syncMode={sync?.()} syncScope={eventsScope}
          queryZoom={({ from, to }) => props.onChangeTimeRange({ from, to })}
          render={(u, idxs, series, pinned) => (
            <VizTooltipWrapper>
              <VizTooltipHeader isPinned={pinned} item={{ label: '', value: formattedValueToString(aligned.fields[0].display!(aligned.fields[0].values[idxs[0]!])) }} />
              <VizTooltipContent isPinned={pinned} items={getFieldDisplayItems(aligned.fields, aligned.fields[0], idxs, series, mode, options.tooltip?.sort ?? 'none', (f) => numeric(f) && shown(f))} />
            </VizTooltipWrapper>
          )} />
      )}
    </TimeSeries>
  );
}

function Table({ data, options, width, height, fieldConfig, timeRange }: Props) {
  const frame = data.series[options.frameIndex ?? 0] ?? data.series[0];
  if (!frame?.fields.length || !frame.length) { return noData(fieldConfig.defaults.noValue); }
  cacheFieldDisplayNames(data.series); // applyFieldOverrides clears the names that transformations set
  return <TableNG data={frame} width={width} height={height} noHeader={options.showHeader === false} cellHeight={options.cellHeight} sortBy={options.sortBy}
    enablePagination={options.enablePagination} fieldConfig={fieldConfig} timeRange={timeRange} frozenColumns={options.frozenColumns?.left} resizable structureRev={data.structureRev} />;
}

/** A time axis and named rows drawn by uPlot; `paint` fills the plot area on its canvas. */
function Rows({ props, rows, width, height, times, paint }: { props: Props; rows: string[]; width: number; height: number; times: number[]; paint: (ctx: CanvasRenderingContext2D, x: (t: number) => number, y: (row: number) => number, scale: number) => void }) {
  const theme = useTheme2();
  const { timeRange, timeZone } = props;
  const config = useMemo(() => {
    const b = new UPlotConfigBuilder(timeZone as any);
    b.addScale({ scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right, range: () => [timeRange.from.valueOf(), timeRange.to.valueOf()] });
    b.addScale({ scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, rows.length] });
    b.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone: timeZone as any, theme, grid: { show: false } });
    b.addAxis({ scaleKey: 'y', placement: AxisPlacement.Left, theme, size: Math.min(180, 14 + 6.6 * Math.max(...rows.map((r) => r.length))), grid: { show: false }, splits: () => rows.map((_, i) => i + 0.5), values: () => rows.map((r, i) => ((rows.length - 1 - i) % Math.ceil((rows.length * 15) / height) ? '' : r)) });
    b.addSeries({ scaleKey: 'y', theme, pathBuilder: () => null, pointsBuilder: () => null } as any);
    b.addHook('draw', (u: any) => paint(u.ctx, (t) => u.valToPos(t, 'x', true), (r) => u.valToPos(r, 'y', true), devicePixelRatio));
    return b;
  }, [paint, rows.join('\n'), timeRange, theme]);
  return <UPlotChart data={[times, times.map(() => null)] as any} config={config} width={width} height={height} />;
}

const times = (f: DataFrame) => f.fields.find((x) => x.type === FieldType.time)?.values ?? [];
const stepOf = (t: number[]) => (t.length > 1 ? Math.min(...t.slice(1).map((x, i) => x - t[i])) : 60000);

function StateTimeline(props: Props) {
  const { data, options, width, height } = props;
  const theme = useTheme2();
  const rows = useMemo(() => data.series.flatMap((frame) => frame.fields.filter((f) => f.type !== FieldType.time && shown(f)).map((field) => {
    const t = times(frame);
    const gap = stepOf(t);
    const runs: Array<{ from: number; to: number; text: string; color: string }> = [];
    field.values.forEach((v: unknown, i: number) => {
      if (v == null) { return; }
      const d = field.display!(v);
      const text = formattedValueToString(d);
      const last = runs[runs.length - 1];
      if (options.mergeValues !== false && last?.text === text && last.to >= t[i]) { last.to = t[i] + gap; }
      else { runs.push({ from: t[i], to: t[i] + gap, text, color: d.color ?? '#888' }); }
    });
    return { name: getFieldDisplayName(field, frame, data.series), runs };
  })).reverse(), [data.series]);
  const items = useMemo(() => [...new Map(rows.flatMap((r) => r.runs).map((r) => [r.text, { label: r.text, color: r.color, yAxis: 1 }])).values()], [rows]);
  const paint = useMemo(() => (ctx: CanvasRenderingContext2D, x: (t: number) => number, y: (r: number) => number, scale: number) => {
    ctx.save();
    ctx.font = `${12 * scale}px ${theme.typography.fontFamily}`;
    ctx.textBaseline = 'middle';
    const [left, right] = [x(props.timeRange.from.valueOf()), x(props.timeRange.to.valueOf())];
    rows.forEach((row, i) => row.runs.forEach((run) => {
      const h = (y(i) - y(i + 1)) * (options.rowHeight ?? 0.9);
      const x0 = Math.max(left, x(run.from));
      const w = Math.min(right, x(run.to)) - x0;
      ctx.globalAlpha = (props.fieldConfig.defaults.custom?.fillOpacity ?? 70) / 100;
      ctx.fillStyle = run.color;
      ctx.fillRect(x0, y(i + 0.5) - h / 2, w, h);
      ctx.globalAlpha = 1;
      if (options.showValue !== 'never' && ctx.measureText(run.text).width + 8 * scale < w) {
        ctx.fillStyle = theme.colors.text.primary;
        ctx.textAlign = 'left';
        ctx.fillText(run.text, x0 + 4 * scale, y(i + 0.5));
      }
    }));
    ctx.restore();
  }, [rows, theme, props.timeRange]);
  if (!rows.some((r) => r.runs.length)) { return noData(props.fieldConfig.defaults.noValue); }
  return (
    <VizLayout width={width} height={height} legend={legendOf(items, options)}>
      {(w, h) => <Rows props={props} rows={rows.map((r) => r.name)} times={times(data.series[0])} width={w} height={h} paint={paint} />}
    </VizLayout>
  );
}

/** Colour modes of the libraries that come near to the schemes of Grafana's heatmap. */
const SCHEMES: Record<string, string> = { Blues: 'continuous-blues', Reds: 'continuous-reds', Greens: 'continuous-greens' };

function Heatmap(props: Props) {
  const { data, options, width, height } = props;
  const theme = useTheme2();
  const fields = useMemo(() => data.series.flatMap((f) => f.fields.filter(numeric).map((field) => ({ field, t: times(f), name: getFieldDisplayName(field, f, data.series) }))), [data.series]);
  const paint = useMemo(() => {
    const peak = Math.max(...fields.flatMap((f) => f.field.values.filter((v: number) => Number.isFinite(v))), 1e-9);
    const steps = options.color?.steps ?? 64;
    const scheme = getFieldColorModeForField({ config: { color: { mode: SCHEMES[options.color?.scheme] ?? 'continuous-blues' } } } as any);
    const color = scheme.getCalculator({ config: {} } as any, theme);
    return (ctx: CanvasRenderingContext2D, x: (t: number) => number, y: (r: number) => number, scale: number) => {
      const [left, right] = [x(props.timeRange.from.valueOf()), x(props.timeRange.to.valueOf())];
      fields.forEach(({ field, t }, row) => field.values.forEach((v: number, i: number) => {
        if (!(v > (options.filterValues?.le ?? 1e-9))) { return; }
        const level = Math.round(Math.pow(v / peak, options.color?.exponent ?? 0.5) * steps) / steps;
        ctx.fillStyle = color(level, level);
        const step = stepOf(t);
        const x0 = Math.max(left, x(t[i] - step));
        ctx.fillRect(x0, y(row + 1), Math.min(right, x(t[i])) - x0 - scale, y(row) - y(row + 1) - scale);
      }));
    };
  }, [fields, theme, props.timeRange]);
  if (!fields.length) { return noData(); }
  const unit = getValueFormat(options.yAxis?.unit ?? 'short');
  const rows = fields.map(({ name }) => (Number.isFinite(Number(name)) ? formattedValueToString(unit(Number(name), options.yAxis?.decimals)) : name));
  const peak = Math.max(...fields.flatMap((f) => f.field.values.filter((v: number) => Number.isFinite(v))), 1e-9);
  const scheme = getFieldColorModeForField({ config: { color: { mode: SCHEMES[options.color?.scheme] ?? 'continuous-blues' } } } as any).getCalculator({ config: {} } as any, theme);
  const cells = getValueFormat(options.cellValues?.unit ?? 'short');
  return (
    <div>
      <Rows props={props} rows={rows} times={fields[0].t} width={width} height={height - 22} paint={paint} />
      <div style={{ display: 'flex', gap: 8, alignItems: 'center', height: 22, fontSize: 12, paddingLeft: 40, color: theme.colors.text.secondary }}>
        0
        <div style={{ width: 180, height: 8, background: `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((x) => scheme(Math.sqrt(x), Math.sqrt(x))).join(', ')})` }} />
        {formattedValueToString(cells(peak))}
      </div>
    </div>
  );
}

function Text({ options, replaceVariables }: Props) {
  const content = replaceVariables(options.content ?? '', {}, 'html');
  const html = options.mode === 'html' ? textUtil.sanitizeTextPanelContent(content) : options.mode === 'code' ? `<pre>${textUtil.escapeHtml(content)}</pre>` : renderMarkdown(content);
  return <div className="markdown-html" style={{ height: '100%', overflow: 'auto' }} dangerouslySetInnerHTML={{ __html: html }} />;
}

const hideFrom = { viz: false, legend: false, tooltip: false };
const graph = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, lineStyle: undefined, fillOpacity: 0, fillColor: undefined, lineColor: undefined, fillBelowTo: undefined, gradientMode: 'none',
  barAlignment: 0, barWidthFactor: 0.6, barMaxWidth: undefined, showPoints: 'auto', pointSize: 5, spanNulls: false, insertNulls: false, transform: undefined, stacking: { mode: 'none', group: 'A' },
  axisPlacement: 'auto', axisLabel: '', axisWidth: undefined, axisColorMode: 'text', axisBorderShow: false, axisGridShow: undefined, axisCenteredZero: false, axisSoftMin: undefined, axisSoftMax: undefined,
  scaleDistribution: { type: 'linear' }, thresholdsStyle: { mode: 'off' }, hideFrom,
};
const cell = { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, width: undefined, minWidth: undefined, hidden: undefined, hideFrom, filterable: undefined, wrapText: undefined, wrapHeaderText: undefined, footer: undefined };

/** Registers one panel type with its default field colour mode and its custom field options (path to default). */
function register(id: string, panel: ComponentType<Props> , color: FieldColorModeId, custom: Record<string, unknown> = {}, noPadding = false) {
  const plugin = new PanelPlugin<any, any>(panel).useFieldConfig({
    standardOptions: { color: { defaultValue: { mode: color } } } as any,
    useCustomConfig: (b) => Object.entries(custom).forEach(([path, value]) => b.addCustomEditor(option(path, undefined, value) as any)),
  });
  plugin.noPadding = noPadding;
  registerRuntimePanelPlugin({ pluginId: id, plugin });
  return plugin;
}

export function registerPanels() {
  const { PaletteClassic, Thresholds } = FieldColorModeId;
  register('timeseries', Series, PaletteClassic, graph);
  register('stat', Stat, Thresholds);
  register('gauge', Gauge, Thresholds);
  register('bargauge', Bars, Thresholds);
  register('table', Table, Thresholds, cell, false);
  register('piechart', Pie, PaletteClassic, { hideFrom });
  register('state-timeline', StateTimeline, Thresholds, { fillOpacity: 70, lineWidth: 0, hideFrom });
  register('heatmap', Heatmap, PaletteClassic, { hideFrom, scaleDistribution: undefined });
  register('nodeGraph', NodeGraph, PaletteClassic);
  const text = register('text', Text, PaletteClassic);
  text.meta = { ...text.meta, skipDataQuery: true };
}
