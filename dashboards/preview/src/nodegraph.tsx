// A node graph: layers from callers to called, ordered so that few edges cross, edges as curves around the nodes between.
import { DataFrame, PanelProps, formattedValueToString, getFieldDisplayName, getValueFormat } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { useMemo } from 'react';

type Edge = { row: number; from: string; to: string };
type Point = [number, number];

const column = (f: DataFrame | undefined, name: string) => f?.fields.find((x) => getFieldDisplayName(x, f).toLowerCase() === name);
const text = (f: DataFrame | undefined, name: string, row: number) => String(column(f, name)?.values[row] ?? '');

function stat(f: DataFrame | undefined, name: string, row: number, unit: string | undefined): string {
  const value = column(f, name)?.values[row];
  return typeof value === 'number' && Number.isFinite(value) ? formattedValueToString(getValueFormat(unit ?? 'short')(value)) : '';
}

/** Layers of ids; an edge that crosses layers has an id of its own in each between. */
function layers(ids: string[], edges: Edge[]): { layers: string[][]; ways: Map<Edge, string[]> } {
  const state = new Map<string, number>();
  const forward: Edge[] = [];
  const visit = (id: string) => {
    state.set(id, 1);
    for (const e of edges.filter((x) => x.from === id && x.to !== id)) {
      if (state.get(e.to) === 1) { continue; } // Backwards in a circle: it does not decide where its ends stand.
      forward.push(e);
      if (!state.has(e.to)) { visit(e.to); }
    }
    state.set(id, 2);
  };
  const called = new Set(edges.map((e) => e.to));
  [...ids].sort((a, b) => Number(called.has(a)) - Number(called.has(b))).forEach((id) => state.has(id) || visit(id));
  const layer = new Map(ids.map((id) => [id, 0]));
  for (let pass = 0; pass < ids.length; pass++) {
    for (const e of forward) { layer.set(e.to, Math.max(layer.get(e.to)!, layer.get(e.from)! + 1)); }
  }
  const all: string[][] = [...Array(Math.max(...layer.values()) + 1)].map(() => []);
  ids.forEach((id) => all[layer.get(id)!].push(id));
  const ways = new Map<Edge, string[]>();
  const beside = new Map<string, string[]>();
  const join = (a: string, b: string) => { beside.set(a, [...(beside.get(a) ?? []), b]); beside.set(b, [...(beside.get(b) ?? []), a]); };
  edges.forEach((e) => {
    const way = [e.from];
    for (let l = layer.get(e.from)! + 1; l < layer.get(e.to)!; l++) {
      const between = `${e.row}:${l}`;
      all[l].push(between);
      way.push(between);
    }
    way.push(e.to);
    ways.set(e, way);
    way.slice(1).forEach((id, i) => join(way[i], id));
  });
  for (let pass = 0; pass < 12; pass++) {
    const at = new Map(all.flatMap((l) => l.map((id, i) => [id, (i + 0.5) / l.length] as const)));
    for (const l of all) {
      const middle = (id: string) => {
        const near = beside.get(id) ?? [];
        return near.length ? near.reduce((sum, n) => sum + at.get(n)!, 0) / near.length : at.get(id)!;
      };
      l.sort((a, b) => middle(a) - middle(b));
      l.forEach((id, i) => at.set(id, (i + 0.5) / l.length));
    }
  }
  return { layers: all, ways };
}

export function NodeGraph({ data, options, width, height, fieldConfig }: PanelProps) {
  const theme = useTheme2();
  const edgeFrame = data.series.find((f) => column(f, 'source') && column(f, 'target'));
  const nodeFrame = data.series.find((f) => f !== edgeFrame && column(f, 'id'));
  const edges: Edge[] = useMemo(() => [...Array(edgeFrame?.length ?? 0).keys()]
    .map((row) => ({ row, from: text(edgeFrame, 'source', row), to: text(edgeFrame, 'target', row) }))
    .filter((e) => e.from && e.to), [edgeFrame]);
  const rows = (column(nodeFrame, 'id')?.values ?? []).map(String) as string[];
  const ids = [...new Set([...rows, ...edges.flatMap((e) => [e.from, e.to])])];
  const plan = useMemo(() => (ids.length ? layers(ids, edges) : undefined), [ids.join('\n'), edges]);
  if (!plan) {
    return <div style={{ height, display: 'flex', alignItems: 'center', justifyContent: 'center', opacity: 0.65 }}>{fieldConfig.defaults.noValue ?? 'No data'}</div>;
  }

  const tallest = Math.max(...plan.layers.map((l) => l.length));
  const r = Math.max(10, Math.min(32, width / (plan.layers.length * 5), (height - 40) / (tallest * 3.2)));
  const place = new Map<string, Point>(plan.layers.flatMap((l, x) => l.map((id, y): [string, Point] =>
    [id, [(width * (x + 0.5)) / plan.layers.length, 8 + ((height - 40) * (y + 0.5)) / l.length]])));
  const values = column(edgeFrame, 'mainstat')?.values ?? [];
  const most = Math.max(...values.filter((v: unknown) => typeof v === 'number'), 1e-9);
  const arcs: Array<{ field: string; color: string }> = options.nodes?.arcs ?? [];

  const curve = ([x0, y0]: Point, [x1, y1]: Point) => `C${(x0 + x1) / 2},${y0} ${(x0 + x1) / 2},${y1} ${x1},${y1}`;
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily} fill={theme.colors.text.primary} textAnchor="middle">
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">
          <path d="M0,0L8,4L0,8z" fill={theme.colors.text.secondary} />
        </marker>
      </defs>
      {edges.map((e) => {
        const way = plan.ways.get(e)!.map((id) => place.get(id)!);
        const back = way[way.length - 1][0] <= way[0][0];
        const points = way.map(([x, y], i): Point => [i === 0 ? x + (back ? 0 : r + 2) : i === way.length - 1 ? x - (back ? 0 : r + 6) : x, y + (back ? (i === 0 ? -r : -r - 4) : 0)]);
        const path = `M${points[0]}` + points.slice(1).map((p, i) => curve(points[i], p)).join('');
        return <path key={e.row} d={path} fill="none" stroke={theme.colors.text.secondary} strokeOpacity={0.55} strokeWidth={1 + 3 * Math.sqrt((values[e.row] ?? 0) / most)} markerEnd="url(#arrow)" />;
      })}
      {edges.map((e) => {
        const label = [stat(edgeFrame, 'mainstat', e.row, options.edges?.mainStatUnit), stat(edgeFrame, 'secondarystat', e.row, options.edges?.secondaryStatUnit)].filter(Boolean).join(' · ');
        const way = plan.ways.get(e)!.map((id) => place.get(id)!);
        // Nearer to the caller, where edges of different callers have not met yet.
        const [x, y] = way.length > 2 ? way[1] : [way[0][0] + (way[1][0] - way[0][0]) * 0.42, way[0][1] + (way[1][1] - way[0][1]) * 0.36];
        return label && (
          <g key={e.row}>
            <rect x={x - label.length * 2.9 - 3} y={y - 8} width={label.length * 5.8 + 6} height={15} rx={3} fill={theme.colors.background.primary} fillOpacity={0.88} />
            <text x={x} y={y + 3} fontSize={10} fill={theme.colors.text.secondary}>{label}</text>
          </g>
        );
      })}
      {ids.map((id) => {
        const [x, y] = place.get(id)!;
        const row = rows.indexOf(id);
        const round = 2 * Math.PI * r;
        const shares = arcs.map(({ field, color }) => ({ color, share: Number(column(nodeFrame, field)?.values[row]) || 0 }));
        const before = (n: number) => shares.slice(0, n).reduce((sum, s) => sum + s.share, 0);
        return (
          <g key={id}>
            <circle cx={x} cy={y} r={r} fill={theme.colors.background.canvas} stroke={theme.colors.border.strong} strokeWidth={3} />
            {shares.map(({ color, share }, n) => share > 0 && (
              <circle key={n} cx={x} cy={y} r={r} fill="none" stroke={theme.visualization.getColorByName(color)} strokeWidth={4}
                strokeDasharray={`${share * round} ${round}`} strokeDashoffset={-before(n) * round} transform={`rotate(-90 ${x} ${y})`} />
            ))}
            <text x={x} y={y + 4} fontSize={Math.min(11, r * 0.45)}>{stat(nodeFrame, 'mainstat', row, options.nodes?.mainStatUnit)}</text>
            <text x={x} y={y + r + 15} fontSize={12} fontWeight={500}>{text(nodeFrame, 'title', row) || id}</text>
            <text x={x} y={y + r + 28} fontSize={10} fill={theme.colors.text.secondary}>{text(nodeFrame, 'subtitle', row)}</text>
          </g>
        );
      })}
    </svg>
  );
}
