// Stands in for @grafana/plugin-compat/datasources, which imports names that no published @grafana/runtime exports
// all of (fine with webpack externals, an error when bundled) and would ask a Grafana server for the list.
import type { DataSourceApi } from '@grafana/data';
import { SceneObject, sceneGraph } from '@grafana/scenes';

export const sources: DataSourceApi[] = [];

const item = (s: DataSourceApi) => ({ uid: s.uid, name: s.name, type: s.type, meta: s.meta });

/** The source that a reference means; a reference by a variable, as all of a good board's are, is looked up in the scene. */
export const getDataSourceInstance = async (ref?: { uid?: string } | null, vars?: any) => {
  const scene = vars?.__sceneObject?.value?.valueOf() as SceneObject | undefined;
  const uid = scene ? sceneGraph.interpolate(scene, ref?.uid ?? '') : ref?.uid;
  const source = sources.find((s) => s.uid === uid);
  if (!source) { throw new Error(`no data source ${uid}`); }
  return source;
};
export const getDataSourceInstanceList = async (f?: { pluginId?: string }) => sources.filter((s) => !f?.pluginId || s.type === f.pluginId).map(item);
export const getDefaultDataSourceInstanceListItem = async () => sources[0] && item(sources[0]);
