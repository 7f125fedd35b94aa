import { ThemeContext } from '@grafana/data';
import { LocationServiceProvider, locationService } from '@grafana/runtime';
import { SceneVariableSet, UrlSyncContextProvider, VizPanel, registerRuntimeDataSource, sceneGraph } from '@grafana/scenes';
import { GlobalStyles, LinkButton, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router-dom';
import { sources } from './compat';
import { buildScene, expandRepeats } from './dash';
import { setUp } from './env';
import './page.css';
import { registerPanels } from './panels';
import { PrometheusSource } from './prom';

const query = new URLSearchParams(location.search);
const name = query.get('name') || 'Prometheus';
const UID = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
const json = (url: string) => fetch(url).then((r) => r.json());

async function boot() {
  const mode = query.get('theme') === 'light' ? 'light' : 'dark';
  const theme = await setUp(mode);
  document.body.style.background = theme.colors.background.canvas;
  registerPanels();
  const canned = query.get('canned') ? await json(query.get('canned')!) : undefined;
  // Beside it there is one that has nothing, and that comes first: a panel that does not follow the variable asks it.
  const other = new PrometheusSource('other', '/nowhere', '15s', { from: 0, to: 0, replies: {} }, 'Another');
  registerRuntimeDataSource({ dataSource: other });
  const source = new PrometheusSource(UID, query.get('prom') ?? '', query.get('scrape') ?? '15s', canned, name);
  registerRuntimeDataSource({ dataSource: source });
  sources.push(other, source);
  const range = canned && { from: new Date(canned.from).toISOString(), to: new Date(canned.to).toISOString() };
  const dashboard = await json(query.get('dashboard')!);
  const scene = buildScene(dashboard, UID, range);
  // Repeats need variable values, so they are expanded once the variables have settled.
  const set = scene.state.$variables as SceneVariableSet;
  const settle = setInterval(() => {
    if (scene.isActive && !set.state.variables.some((v) => set.isVariableLoadingOrWaitingToUpdate(v))) {
      clearInterval(settle);
      expandRepeats(scene, UID);
      Object.assign(window, { __settled: true });
    }
  }, 50);
  Object.assign(window, {
    __busy: () => source.busy,
    __record: () => ({ from: scene.state.$timeRange!.state.value.from.valueOf(), to: scene.state.$timeRange!.state.value.to.valueOf(), replies: source.recorded }),
    __panels: () => sceneGraph.findAllObjects(scene, (o) => o instanceof VizPanel).map((o) => {
      const p = o as VizPanel;
      const data = sceneGraph.getData(p).state.data;
      return { key: p.state.key, title: p.state.title, type: p.state.pluginId, error: p.state._pluginLoadError ?? data?.errors?.[0]?.message, state: data?.state, frames: data?.series.length };
    }),
  });
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <LocationServiceProvider service={locationService}><BrowserRouter>
        <GlobalStyles />
        <header style={{ display: 'flex', gap: 8, justifyContent: 'space-between', marginBottom: 12 }}>
          <h1 style={{ fontSize: 18, margin: 0 }}>{dashboard.title}</h1>
          <nav style={{ display: 'flex', gap: 8 }}>
            {(dashboard.links ?? []).filter((l: any) => l.type === 'link').map((l: any, i: number) => (
              <LinkButton key={i} size="sm" variant="secondary" icon="external-link-alt" href={l.url} tooltip={l.tooltip} target={l.targetBlank ? '_blank' : undefined}>{l.title}</LinkButton>
            ))}
          </nav>
        </header>
        <UrlSyncContextProvider scene={scene}>
          <scene.Component model={scene} />
        </UrlSyncContextProvider>
        <PortalContainer />
      </BrowserRouter></LocationServiceProvider>
    </ThemeContext.Provider>
  );
}

boot().catch((e) => { console.error(e); document.body.append(String(e.stack ?? e)); });
