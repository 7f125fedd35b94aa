// Draws boards from a live Prometheus and writes a picture of each board and, with --panels, of each panel.
// node shot.mjs --dashboards DIR --prom URL --out DIR [--only NAME]… [--theme dark]… [--var name=value]… [--scrape 30s] [--from now-1h] [--width 1600] [--panels]
// Ends with 1 when a panel has an error, or nothing to show and no words for that.
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, extname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';

const many = { type: 'string', multiple: true, default: [] };
const text = (d) => ({ type: 'string', default: d });
const { values: o } = parseArgs({ options: {
  dashboards: text('.'), prom: text('http://127.0.0.1:9090'), out: text('shots'), only: many, theme: many, var: many, scrape: text('30s'),
  name: text('Prometheus'), from: text(''), width: text('1600'), chromium: text('/usr/bin/chromium'), panels: { type: 'boolean', default: false },
} });
const themes = o.theme.length ? o.theme : ['dark', 'light'];
const boards = readdirSync(o.dashboards).filter((f) => f.endsWith('.json') && (!o.only.length || o.only.includes(basename(f, '.json')))).sort();

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
const HOME = 'http://preview.test';

/** What the page asks for. The browser gets it from here and not by its network: it drops what it waits for when an interface comes or goes, as those of pods do. */
async function answer(url) {
  if (url.pathname.startsWith('/prometheus/')) {
    const reply = await fetch(o.prom + url.pathname.slice('/prometheus'.length) + url.search).catch((e) => ({ status: 502, text: async () => String(e) }));
    return { status: reply.status, contentType: 'application/json', body: await reply.text() };
  }
  const file = url.pathname.startsWith('/boards/') ? join(o.dashboards, basename(url.pathname)) : join('dist', normalize(url.pathname === '/' ? '/index.html' : url.pathname));
  if (!existsSync(file) || !statSync(file).isFile()) { return { status: 404, body: '' }; }
  return { status: 200, contentType: types[extname(file)] ?? 'application/octet-stream', body: readFileSync(file) };
}

mkdirSync(o.out, { recursive: true });
const browser = await puppeteer.launch({ executablePath: o.chromium, args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-color-profile=srgb'] });
const wrong = { 'without data': 0, 'with an error': 0, 'not drawn': 0, 'of the console': 0 };
let pictures = 0;
let drawn = 0;

async function shoot(board, theme) {
  const name = basename(board, '.json');
  const json = JSON.parse(readFileSync(join(o.dashboards, board), 'utf8'));
  const one = json.templating.list.filter((v) => v.type === 'query' && !v.multi).map((v) => v.name);
  const picked = o.var.map((v) => v.split(/=(.*)/s)).filter(([n]) => one.includes(n)).map(([n, v]) => [`var-${n}`, v]);
  const page = await browser.newPage();
  const width = Number(o.width);
  await page.setViewport({ width, height: 1000 });
  await page.setRequestInterception(true);
  page.on('request', async (r) => {
    const url = new URL(r.url());
    if (url.origin === HOME) { await r.respond(await answer(url)); } else { await r.continue(); }
  });
  const log = new Set();
  page.on('console', (m) => m.type() === 'error' && log.add(`${m.text()} ${m.location()?.url ?? ''}`.slice(0, 300)));
  page.on('pageerror', (e) => log.add(`exception: ${e.message}`));
  const query = new URLSearchParams([['dashboard', `/boards/${board}`], ['prom', '/prometheus'], ['theme', theme], ['scrape', o.scrape], ['name', o.name], ...(o.from ? [['from', o.from], ['to', 'now']] : []), ...picked]);
  await page.goto(`${HOME}/?${query}`);
  const idle = () => page.waitForFunction(() => {
    const busy = !window.__settled || window.__busy() > 0 || window.__panels().some((p) => p.state === 'Loading');
    window.__quiet = busy ? 0 : (window.__quiet ?? 0) + 1;
    return window.__quiet > 5;
  }, { polling: 100, timeout: 120000 });
  await idle();
  const height = await page.evaluate(() => Math.ceil(document.querySelector('#root').getBoundingClientRect().bottom + 16));
  await page.setViewport({ width, height: Math.max(height, 400) });
  await idle();
  await new Promise((r) => setTimeout(r, 600));
  // Capturing beyond the viewport resizes the page, and panels are then caught empty; the viewport fits everything already.
  await page.screenshot({ path: join(o.out, `${name}-${theme}.png`), captureBeyondViewport: false });
  pictures++;
  const panels = await page.evaluate(() => window.__panels());
  for (const p of panels) {
    const element = await page.$(`[data-viz-panel-key="${p.key}"]`);
    if (element && o.panels) {
      await element.screenshot({ path: join(o.out, `${name}-${p.key}-${theme}.png`), captureBeyondViewport: false });
      pictures++;
    }
    const says = element ? await element.evaluate((e) => e.innerText) : 'is not drawn';
    const [kind, what] = p.error ? ['with an error', p.error] : !element ? ['not drawn', says] : /^No data$/m.test(says) ? ['without data', 'No data'] : [];
    if (kind) { wrong[kind]++; console.log(`${name} ${theme}: ${p.title}: ${what}`); } else { drawn++; }
  }
  for (const line of log) { wrong['of the console']++; console.log(`${name} ${theme}: console: ${line}`); }
  await page.close();
}

const started = Date.now();
for (const board of boards) {
  for (const theme of themes) { await shoot(board, theme); }
}
await browser.close();
const list = Object.entries(wrong).map(([what, n]) => `${n} ${what}`).join(', ').replace(/(\d+) of the console/, '$1 errors in the console');
console.log(`${boards.length} boards, ${drawn} panels drawn in ${themes.join(' and ')}, ${pictures} pictures in ${((Date.now() - started) / 1000).toFixed(0)} s; panels: ${list}`);
process.exit(Object.values(wrong).some((n) => n) ? 1 : 0);
