// The self-test: what an operator wants to know when the chip does not show. Runs beside plugin.js, on the same files.

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
body { margin: 0 auto; max-inline-size: 60rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif }
table { border-collapse: collapse; inline-size: 100% } th, td { padding: .4rem .6rem; border-block-end: 1px solid #8884; text-align: start; vertical-align: top }
th { font-weight: 600; white-space: nowrap } .ok::before { content: '✓ ' } .warn::before { content: '! ' } .bad::before { content: '✗ ' }
.ok { color: #15803d } .warn { color: #a16207 } .bad { color: #b91c1c }
@media (prefers-color-scheme: dark) { .ok { color: #4ade80 } .warn { color: #facc15 } .bad { color: #f87171 } }
input, button { font: inherit; max-inline-size: 100% }`);
document.adoptedStyleSheets = [sheet];

const top = new URL('.', import.meta.url);
const results = [];
const $ = (id) => document.getElementById(id);

function row(into, ...cells) {
  const line = document.createElement('tr');
  cells.forEach(([text, kind], i) => {
    const cell = document.createElement(i ? 'td' : 'th');
    cell.textContent = text;
    if (kind) cell.className = kind;
    if (!i) cell.scope = 'row';
    line.append(cell);
  });
  into.append(line);
}
function tell(name, kind, text) {
  results.push({ name, kind, text });
  row($('checks'), [name], [kind === 'ok' ? 'good' : kind === 'warn' ? 'look' : 'bad', kind], [text]);
}
/** A check returns text (good), or { warn } or { bad }. */
async function check(name, run) {
  try {
    const told = await run();
    if (typeof told === 'string') tell(name, 'ok', told);
    else tell(name, told.warn ? 'warn' : 'bad', told.warn || told.bad);
    return true;
  } catch (error) {
    tell(name, 'bad', String(error?.message || error));
    return false;
  }
}
const get = async (url) => {
  const response = await fetch(url, { cache: 'no-cache' });
  if (!response.ok) throw new Error(`${url.pathname}: status ${response.status}. Is the whole folder there?`);
  return response;
};

let folder, files, config, router;

await check('Plugin', async () => {
  const text = await (await get(new URL('plugin.js', top))).text();
  const version = /FOLDER = '([^']*)'/.exec(text)?.[1];
  if (version === undefined) throw new Error('plugin.js is not SmartRouter\'s: copy the folder again.');
  folder = new URL(version || './', top);
  files = await (await get(new URL('librechat/files.json', folder))).json();
  return `version ${files.version}`;
});
await check('Page', async () => {
  const html = await (await get(new URL('../', top))).text();
  if (!html.includes('id="root"')) return { warn: 'LibreChat\'s page is not at ../ from here, so its tag could not be looked for.' };
  if (!html.includes('smartrouter/plugin.js')) return { bad: 'LibreChat\'s page has no tag for plugin.js: the preload hook, the nginx lines or install.sh did not act.' };
  if (!html.includes('data-lc-rum-bootstrap')) return { warn: 'The tag lacks data-lc-rum-bootstrap="true": LibreChat may reload when plugin.js is missing.' };
  return 'the tag is in LibreChat\'s page';
});
await check('Policy (CSP)', async () => {
  const header = (await get(new URL('../', top))).headers.get('content-security-policy');
  if (!header) return 'none, so nothing is blocked';
  const scripts = /(?:script-src|default-src)[^;]*/.exec(header)?.[0] || '';
  if (scripts && !/wasm-unsafe-eval|'unsafe-eval'/.test(scripts)) return { bad: 'LibreChat\'s policy lacks \'wasm-unsafe-eval\' in script-src: WebAssembly is blocked there.' };
  return 'allows WebAssembly';
});
const wasmRuns = await check('WebAssembly', async () => {
  await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  return 'runs';
});
await check('Worker', () => new Promise((resolve, reject) => {
  const worker = new Worker(new URL('worker.js', folder), { type: 'module' });
  const end = (finish, value) => (worker.terminate(), finish(value));
  worker.onerror = () => end(resolve, { warn: 'worker.js does not start (worker-src in a policy?). Routing goes on in the page, in slices.' });
  setTimeout(() => end(resolve, 'starts'), 1200);
}));
await check('Configuration', async () => {
  const { checkConfig } = await import(new URL('librechat/config.js', folder).href);
  const response = await fetch(new URL('smartrouter.json', top), { cache: 'no-cache' });
  if (response.status === 404) {
    config = checkConfig(undefined).config;
    return { warn: 'there is no smartrouter.json: defaults are used' };
  }
  let given;
  try {
    given = JSON.parse(await response.text());
  } catch (error) {
    config = checkConfig(undefined).config;
    return { bad: `smartrouter.json is not JSON: ${error.message}` };
  }
  const checked = checkConfig(given);
  config = checked.config;
  return checked.messages.length ? { bad: checked.messages.join(' ') } : `mode "${config.mode}", ${Object.keys(config.routes).length} routes`;
});
await check('Files', async () => {
  const missing = [];
  for (const role of ['asset', 'table', 'model']) {
    const name = config?.files[role] || files[role];
    if (!name) continue;
    const url = config?.files[role] ? new URL(name, top) : new URL(name, folder);
    const response = await fetch(url, { method: 'HEAD' });
    if (!response.ok) missing.push(`${url.pathname} (status ${response.status})`);
  }
  if (missing.length) return { bad: `missing: ${missing.join(', ')}` };
  const lacks = ['table', 'model'].filter((role) => !files[role] && !config?.files[role]);
  return lacks.length ? { warn: `route asset is there; without ${lacks.join(' and ')}` } : 'route asset, piece table, encoder are there';
});
if (wasmRuns)
  await check('Router', async () => {
    const { SmartRouter } = await import(new URL('smartrouter.js', folder).href);
    const place = (role) => (config?.files[role] ? new URL(config.files[role], top) : files[role] ? new URL(files[role], folder) : undefined);
    const table = place('table'), model = table ? undefined : place('model');
    router = await SmartRouter.load({ asset: place('asset'), table, model });
    return `${router.routes.length} routes, ${router.variant}${router.variant === 'scalar' ? ' (this browser has no SIMD: slow)' : ''}`;
  });
await check('Model specs', async () => {
  if (!router) return { warn: 'not checked: the router did not load' };
  const { checkRoutes, checkTargets, targetsFor } = await import(new URL('librechat/config.js', folder).href);
  const response = await fetch(new URL('../api/config', top));
  const specs = response.ok ? (await response.json()).modelSpecs?.list : undefined;
  const own = checkRoutes(router.routes, config);
  if (!specs) return { warn: [...own, 'LibreChat tells its specs to its own page only: see window.smartrouter.messages there.'].join(' ') };
  const { messages } = checkTargets(targetsFor(router.routes, config), specs);
  if (!specs.some((spec) => spec.default)) messages.push('No spec has "default: true": a new chat begins with the last one used.');
  return own.length || messages.length ? { bad: [...own, ...messages].join(' ') } : 'all routes have theirs';
});

const bad = results.filter(({ kind }) => kind === 'bad').length, warn = results.filter(({ kind }) => kind === 'warn').length;
$('summary').textContent = bad ? `${bad} of ${results.length} checks failed.` : warn ? `All is well; ${warn} to look at.` : 'All is well.';
document.documentElement.dataset.done = bad ? 'bad' : 'ok';
window.results = results;

if (router) {
  $('try').hidden = false;
  $('text').addEventListener('input', async () => {
    const text = $('text').value;
    const show = (decision) => {
      if (decision && text === $('text').value)
        $('decision').textContent = text.trim() ? `${decision.label}, ${Math.round(decision.confidence * 100)} %` : '';
    };
    show(router.preview(text));
    await router.route(text).then(show, () => {});
  });
}
const log = folder && (await import(new URL('librechat/log.js', folder).href).catch(() => null));
if (log?.entries().length) {
  const { messages, rate, medianMs, routes } = log.report();
  $('log').hidden = false;
  $('report').textContent = `${messages} messages; people chose otherwise in ${Math.round(rate * 100)} % of proposals; median ${medianMs ?? '-'} ms at a switched send.`;
  for (const [route, { proposed, overridden, rate: own }] of Object.entries(routes)) row($('rates'), [route], [`${proposed} proposed`], [`${overridden} overridden (${Math.round(own * 100)} %)`]);
  $('export').addEventListener('click', () => log.exportLog());
  $('clear').addEventListener('click', () => {
    localStorage.removeItem('smartrouter.log');
    $('log').hidden = true;
  });
}
