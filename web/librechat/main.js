// Start: configuration, languages, router; then auto.js runs. Whatever fails here leaves LibreChat as it was.
import { Auto } from './auto.js';
import { checkConfig } from './config.js';
import { mayDownload } from './decisions.js';

const root = new URL('..', import.meta.url); // the router's own files

export async function start({ top, opened, debug }) {
  const { config, messages } = checkConfig(await readConfig(top, debug));
  const files = await readFiles();
  const auto = new Auto({
    config,
    opened,
    debug,
    languages: new URL('languages/', import.meta.url),
    load: () => loadRouter(config, files, top),
  });
  debug.config = config;
  debug.messages.push(...messages); // before start(): it adds what it finds out later
  for (const message of debug.messages) console.warn(`[smartrouter] ${message}`);
  auto.start();
  debug.state = 'running';
}

async function readConfig(top, debug) {
  const url = new URL('smartrouter.json', top);
  let text;
  try {
    const response = await fetch(url, { cache: 'no-cache' });
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`status ${response.status}`);
    text = await response.text();
    return JSON.parse(text);
  } catch (error) {
    const what = text === undefined ? 'could not be read' : 'is not JSON';
    debug.messages.push(`${url.pathname} ${what} (${error.message}). All settings have their defaults now.`);
    return undefined;
  }
}

// Written by `make librechat`: what lies beside smartrouter.js.
async function readFiles() {
  try {
    const response = await fetch(new URL('librechat/files.json', root));
    if (response.ok) return await response.json();
  } catch {
    // the usual names, then
  }
  return { asset: 'five-routes.srr' };
}

async function loadRouter(config, files, top) {
  const { SmartRouter } = await import(new URL('smartrouter.js', root).href);
  // A file that the operator names lies beside smartrouter.json; null leaves it out
  const place = (role) => {
    const own = config.files[role];
    if (own === null) return undefined;
    return own ? new URL(own, top) : files[role] ? new URL(files[role], root) : undefined;
  };
  const options = { asset: place('asset') };
  if (config.embedder.type === 'server') {
    const { http } = await import(new URL('embedders/http.js', root).href);
    const { url, model, prefix, dimensions } = config.embedder;
    options.embedder = http({ url: new URL(url, top), model, prefix, dimensions, timeoutMs: 3000, retries: 0 });
  } else {
    options.table = place('table');
    options.model = config.embedder.download === 'never' ? undefined : place('model');
    // the table answers until the composer is used; without one, the policy decides at once
    options.autoload = !options.table && mayDownload(config.embedder.download);
    if (config.embedder.lastExit !== null) options.lastExit = config.embedder.lastExit;
  }
  return SmartRouter.load(options);
}
