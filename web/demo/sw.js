// Offline after the first visit: keeps this version's files, answers from them, and goes to the network for everything else.
// Models, route assets and tables of the router are kept by its own cache (download.js); here they only pass.
const VERSION = 'dev'; // written by stage.mjs: a hash of all files
const CACHE = `smartrouter-page-${VERSION}`;
const home = new URL('./', self.location.href);

addEventListener('install', (event) => event.waitUntil(install()));
async function install() {
  const cache = await caches.open(CACHE);
  const site = await (await fetch(new URL('site.json', home), { cache: 'no-cache' })).json();
  await Promise.all(['./', 'site.json', ...site.keep].map(async (path) => {
    const response = await fetch(new URL(path, home), { cache: 'no-cache' });
    if (!response.ok) throw new Error(`${path}: status ${response.status}`);
    await cache.put(new URL(path, home), response);
  }));
}
addEventListener('activate', (event) => event.waitUntil(activate()));
async function activate() {
  for (const name of await caches.keys()) if (name.startsWith('smartrouter-page-') && name !== CACHE) await caches.delete(name);
  await self.clients.claim();
}
addEventListener('message', ({ data }) => data === 'now' && self.skipWaiting());

addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== home.origin || request.headers.has('range') || request.cache === 'reload') return;
  event.respondWith(answer(request));
});
async function answer(request) {
  try {
    const cache = await caches.open(CACHE);
    const hit = await cache.match(request, { ignoreSearch: request.mode === 'navigate', ignoreVary: true });
    if (hit) return hit;
  } catch {
    // storage is gone: the network then
  }
  return fetch(request);
}
