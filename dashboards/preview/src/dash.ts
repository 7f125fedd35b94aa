// Classic dashboard JSON (schemaVersion 39-42) to a scene.
import { DashboardCursorSync, standardTransformersRegistry } from '@grafana/data';
import {
  behaviors, ConstantVariable, CustomVariable, DataSourceVariable, EmbeddedScene, IntervalVariable, LocalValueVariable, QueryVariable, SceneControlsSpacer, SceneDataTransformer,
  SceneGridItem, SceneGridLayout, SceneGridRow, SceneQueryRunner, SceneRefreshPicker, SceneTimePicker, SceneTimeRange,
  SceneVariable, SceneVariableSet, TextBoxVariable, VariableValueSelectors, VizPanel, sceneGraph,
} from '@grafana/scenes';

const one = (v: any) => v?.value ?? '';

const unsupported = (where: string, what: string) => console.error(`unsupported in ${where}: ${what}`);

/** Names what would otherwise be dropped without a word: an unknown transformation just passes its input on. */
function reportUnsupported(p: any) {
  const where = `panel ${p.id} "${p.title ?? ''}"`;
  const foreign = (ref: any) => ref?.type && !['prometheus', 'datasource'].includes(ref.type);
  for (const t of p.transformations ?? []) {
    if (!t.disabled && !standardTransformersRegistry.getIfExists(t.id)) { unsupported(where, `transformation ${t.id}`); }
  }
  for (const t of p.targets ?? []) {
    if (foreign(t.datasource ?? p.datasource)) { unsupported(where, `data source ${(t.datasource ?? p.datasource).type}`); }
  }
  for (const key of ['timeFrom', 'timeShift', 'libraryPanel'].filter((k) => p[k])) { unsupported(where, key); }
}

function variable(v: any, uid: string): SceneVariable | undefined {
  const common = { name: v.name, label: v.label || undefined, description: v.description, hide: v.hide, skipUrlSync: v.skipUrlSync };
  const multi = {
    value: v.current?.value ?? '', text: v.current?.text ?? '', isMulti: v.multi, includeAll: v.includeAll,
    defaultToAll: v.includeAll && !v.current?.value, allValue: v.allValue || undefined,
  };
  switch (v.type) {
    case 'datasource':
      return new DataSourceVariable({ ...common, pluginId: v.query, regex: v.regex, value: uid, text: uid });
    case 'query':
      return new QueryVariable({ ...common, ...multi, datasource: v.datasource ?? { uid }, query: v.query, regex: v.regex, sort: v.sort, refresh: v.refresh || 1 });
    case 'custom':
      return new CustomVariable({ ...common, ...multi, query: v.query });
    case 'interval':
      return new IntervalVariable({
        ...common, value: one(v.current), intervals: v.query.split(','), autoEnabled: v.auto, autoStepCount: v.auto_count, autoMinInterval: v.auto_min,
      });
    case 'constant':
      return new ConstantVariable({ ...common, value: v.query, hide: 2 });
    case 'textbox':
      return new TextBoxVariable({ ...common, value: one(v.current) || v.query });
    default:
      unsupported('variables', `${v.name} of type ${v.type}`);
      return undefined;
  }
}

function vizPanel(p: any, uid: string): VizPanel {
  reportUnsupported(p);
  const runner = p.targets?.length
    ? new SceneQueryRunner({
        datasource: p.datasource ?? { uid }, queries: p.targets.map((t: any) => ({ ...t, datasource: t.datasource ?? p.datasource ?? { uid } })),
        maxDataPoints: p.maxDataPoints ?? undefined, maxDataPointsFromWidth: true, minInterval: p.interval || undefined,
      })
    : undefined;
  return new VizPanel({
    key: `panel-${p.id}`, title: p.title ?? '', description: p.description, pluginId: p.type, pluginVersion: p.pluginVersion,
    displayMode: p.transparent ? 'transparent' : 'default', hoverHeader: !p.title, options: p.options ?? {},
    fieldConfig: p.fieldConfig ?? { defaults: {}, overrides: [] },
    $data: runner && new SceneDataTransformer({ $data: runner, transformations: p.transformations ?? [] }),
  });
}

function gridItem(p: any, uid: string): SceneGridItem {
  const { x, y, w, h } = p.gridPos;
  const item = new SceneGridItem({ x, y, width: w, height: h, body: vizPanel(p, uid), isResizable: false, isDraggable: false });
  if (p.repeat) {
    repeated.set(item, p);
  }
  return item;
}

const repeated = new Map<SceneGridItem, any>();

function gridChildren(panels: any[], uid: string) {
  const top: Array<SceneGridItem | SceneGridRow> = [];
  let open: SceneGridRow | undefined;
  for (const p of panels) {
    if (p.type === 'row') {
      const row = new SceneGridRow({
        key: `panel-${p.id}`, title: p.title, y: p.gridPos.y, isCollapsed: !!p.collapsed, isDraggable: false,
        children: (p.panels ?? []).map((c: any) => gridItem(c, uid)),
      });
      top.push(row);
      open = p.collapsed ? undefined : row;
    } else if (open) {
      open.setState({ children: [...open.state.children, gridItem(p, uid)] });
    } else {
      top.push(gridItem(p, uid));
    }
  }
  return top;
}

/** `repeat`: one copy of the panel per selected value, across the full width (h) or downwards (v); what is below moves down. */
export function expandRepeats(scene: EmbeddedScene, uid: string) {
  for (const [item, p] of repeated) {
    const layout = item.parent as SceneGridLayout | SceneGridRow;
    const v = sceneGraph.lookupVariable(p.repeat, scene) as any;
    const values: string[] = [v?.hasAllValue?.() ? v.state.options.map((o: any) => o.value) : v?.getValue()].flat().filter(Boolean);
    const across = p.repeatDirection === 'v' ? 1 : Math.min(p.maxPerRow ?? 4, values.length);
    const w = p.repeatDirection === 'v' ? p.gridPos.w : Math.floor(24 / Math.max(across, 1));
    const copies = values.map((value, i) => {
      const gridPos = { x: p.repeatDirection === 'v' ? p.gridPos.x : (i % across) * w, y: p.gridPos.y + Math.floor(i / across) * p.gridPos.h, w, h: p.gridPos.h };
      const copy = gridItem({ ...p, repeat: undefined, id: i ? `${p.id}-clone-${i}` : p.id, gridPos }, uid);
      copy.state.body!.setState({ $variables: new SceneVariableSet({ variables: [new LocalValueVariable({ name: p.repeat, value, text: value })] }) });
      return copy;
    });
    const extra = (Math.ceil(values.length / across) - 1) * p.gridPos.h;
    const rest = layout.state.children.filter((c) => c !== item).map((c: any) => {
      if (extra > 0 && c.state.y > p.gridPos.y) { c.setState({ y: c.state.y + extra }); }
      return c;
    });
    layout.setState({ children: [...rest, ...copies] } as any);
    repeated.delete(item);
  }
  (scene.state.body as SceneGridLayout).forceRender(); // the grid does not watch the children of its rows
}

/** Closed rows opened: what is in them is drawn too, and what follows moves down. */
export function opened(panels: any[]): any[] {
  const all: any[] = [];
  let down = 0;
  for (const p of panels) {
    const moved = (q: any) => ({ ...q, gridPos: { ...q.gridPos, y: q.gridPos.y + down } });
    if (p.type === 'row' && p.collapsed) {
      all.push({ ...moved(p), collapsed: false, panels: [] }, ...p.panels.map(moved));
      down += Math.max(0, ...p.panels.map((q: any) => q.gridPos.y + q.gridPos.h)) - p.gridPos.y - 1;
    } else {
      all.push(moved(p));
    }
  }
  return all;
}

export function buildScene(d: any, uid: string, range?: { from: string; to: string }): EmbeddedScene {
  const variables = (d.templating?.list ?? []).map((v: any) => variable(v, uid)).filter(Boolean) as SceneVariable[];
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from: range?.from ?? d.time?.from ?? 'now-1h', to: range?.to ?? d.time?.to ?? 'now', timeZone: d.timezone || 'browser' }),
    $variables: new SceneVariableSet({ variables }),
    $behaviors: [new behaviors.CursorSync({ sync: d.graphTooltip ?? DashboardCursorSync.Off })],
    controls: [new VariableValueSelectors({}), new SceneControlsSpacer(), new SceneTimePicker({}), new SceneRefreshPicker({ refresh: '' })],
    body: new SceneGridLayout({ isLazy: false, isDraggable: false, isResizable: false, children: gridChildren(opened(d.panels ?? []), uid) }),
  });
}
