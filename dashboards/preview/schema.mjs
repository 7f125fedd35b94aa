// Checks the JSON of boards against the types of Grafana's own schema (@grafana/schema), by its compiler: unknown keys and
// wrong values of dashboards, variables, annotations, links, panels, and of each panel type's options and field options.
// node schema.mjs --dashboards DIR
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: o } = parseArgs({ options: { dashboards: { type: 'string' } } });
// Panel types: the module of the schema, and which of its types are there.
const PANELS = {
  timeseries: ['timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen', 'FieldConfig'], stat: ['stat/panelcfg/x/StatPanelCfg_types.gen'],
  table: ['table/panelcfg/x/TablePanelCfg_types.gen', 'FieldConfig'], bargauge: ['bargauge/panelcfg/x/BarGaugePanelCfg_types.gen'],
  heatmap: ['heatmap/panelcfg/x/HeatmapPanelCfg_types.gen', 'FieldConfig'], nodeGraph: ['nodegraph/panelcfg/x/NodeGraphPanelCfg_types.gen'],
  'state-timeline': ['statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen', 'FieldConfig'],
};
const { version } = JSON.parse(readFileSync('node_modules/@grafana/schema/package.json', 'utf8'));

const folder = 'schema';
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
writeFileSync(join(folder, 'plain.ts'), `import type { AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel } from '@grafana/schema';
/** A type as JSON has it: names of enumerations are their values, and numbers may be missing. */
export type Plain<T> = T extends string ? \`\${T}\` : T extends number ? number : T extends boolean | null | undefined ? T
  : T extends Array<infer U> ? Array<Plain<U>> : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
export type Target = { refId: string; datasource: { type: 'prometheus'; uid: '\${datasource}' }; editorMode: 'code'; expr: string; legendFormat: string;
  format: 'time_series' | 'table' | 'heatmap'; instant: boolean; range: boolean };
type Without<T, K extends keyof any> = { [P in keyof T as P extends K ? never : P]: T[P] };
type Thresholds = { mode: 'absolute' | 'percentage'; steps: Array<{ color: string; value: number | null }> };
type Defaults<C> = Plain<Without<FieldConfig, 'custom' | 'thresholds'>> & { thresholds?: Thresholds; custom?: Plain<C> };
type Overrides = Plain<NonNullable<Panel['fieldConfig']>['overrides']>;
export type One<T extends string, O, C> = Plain<Without<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>>
  & { type: T; id: number; gridPos: { x: number; y: number; w: number; h: number }; options: Plain<O>; fieldConfig: { defaults: Defaults<C>; overrides: Overrides }; targets: Target[] };
export type Row = Plain<Without<RowPanel, 'panels'>> & { panels: [] };
// What every board has and the schema lets be missing is asked for, so that nothing is spelled wrong.
// What the schema leaves to data sources: queries of annotations have Prometheus' fields.
type Annotated = { annotations: { list: Array<Plain<AnnotationQuery> & { expr?: string; step?: string; titleFormat?: string; textFormat?: string; tagKeys?: string; useValueForTime?: boolean }> } };
export type Board = Plain<Without<Dashboard, 'panels' | 'id' | 'annotations'>> & Annotated & { id: null; title: string; uid: string; panels: [] }
  & Plain<Required<Pick<Dashboard, 'templating' | 'time' | 'timepicker' | 'refresh' | 'schemaVersion' | 'tags' | 'graphTooltip' | 'links'>>>;
`);
let panels = 0;
const boards = readdirSync(o.dashboards).filter((f) => f.endsWith('.json')).sort();
for (const file of boards) {
  const board = JSON.parse(readFileSync(join(o.dashboards, file), 'utf8'));
  const all = board.panels.flatMap((p) => [p, ...(p.panels ?? [])]);
  const types = [...new Set(all.map((p) => p.type))].filter((t) => t !== 'row');
  const name = (t) => t.replace(/[^a-z]/gi, '_');
  const imports = types.map((t) => {
    if (!PANELS[t]) { throw new Error(`${file}: no types are known for the panel type ${t}`); }
    return `import type * as ${name(t)} from '@grafana/schema/dist/esm/raw/composable/${PANELS[t][0]}';`;
  });
  const literal = (p, type) => `export const panel_${p.id}: ${type} = ${JSON.stringify(p, null, 2)};`;
  const consts = all.map((p) => {
    panels++;
    return p.type === 'row' ? literal({ ...p, panels: [] }, 'Row') : literal(p, `One<'${p.type}', ${name(p.type)}.Options, ${PANELS[p.type][1] ? `${name(p.type)}.FieldConfig` : 'never'}>`);
  });
  const head = `export const board: Board = ${JSON.stringify({ ...board, panels: [] }, null, 2)};`;
  writeFileSync(join(folder, file.replace(/\.json$/, '.ts')), ["import type { Board, One, Row } from './plain';", ...imports, head, ...consts, ''].join('\n'));
}
writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', compilerOptions: { noEmit: true, skipLibCheck: true, strict: true }, include: ['.'] }));
try {
  execFileSync('node', ['node_modules/typescript/bin/tsc', '-p', folder], { encoding: 'utf8' });
} catch (e) {
  const lines = String(e.stdout ?? e).split('\n').filter(Boolean);
  console.log(lines.slice(0, 60).join('\n'));
  console.log(`${lines.filter((l) => l.includes('error TS')).length} errors against @grafana/schema ${version}`);
  process.exit(1);
}
console.log(`${boards.length} boards and ${panels} panels are valid by @grafana/schema ${version}`);
