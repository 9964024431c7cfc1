// The host's server as far as the plugin can tell: pages with the tag, the packed folder, a two-step send that is counted.
import { createServer } from 'node:http';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const TYPES = { js: 'text/javascript', mjs: 'text/javascript', css: 'text/css', html: 'text/html', json: 'application/json', wasm: 'application/wasm' };
export const TAG = '<script defer src="smartrouter/plugin.js?v=1" data-lc-rum-bootstrap="true"></script>';

/** folder: the packed smartrouter/. change(): { tag, csp, missing: RegExp, replace: { path ending: text }, streamMs, failPost } */
export async function serve(folder, change = {}) {
  const state = { posts: [], streams: 0, requests: [], ...change };
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const path = decodeURIComponent(url.pathname);
    state.requests.push(`${request.method} ${path}`);
    const answer = (status, type, body, headers = {}) => {
      response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers });
      response.end(body);
    };
    const file = (root, name) => {
      const at = normalize(join(root, name));
      if (!at.startsWith(root) || !existsSync(at) || !statSync(at).isFile()) return answer(404, 'text/plain', 'not found');
      answer(200, TYPES[at.split('.').pop()] || 'application/octet-stream', readFileSync(at));
    };
    if (request.method === 'POST' && path.startsWith('/api/agents/chat/')) {
      let text = '';
      request.on('data', (part) => (text += part));
      request.on('end', () => {
        const body = JSON.parse(text);
        const conversationId = body.conversationId || randomUUID();
        state.posts.push({ ...body, path, at: conversationId, fresh: !body.conversationId });
        if (state.failPost) return answer(500, 'application/json', '{}');
        answer(200, 'application/json', JSON.stringify({ streamId: randomUUID(), conversationId, status: 'started' }));
      });
      return;
    }
    if (path.startsWith('/api/agents/chat/stream/')) {
      state.streams++;
      setTimeout(() => answer(200, 'text/event-stream', 'event: message\ndata: {"final":true}\n\n'), state.streamMs ?? 5);
      return;
    }
    if (path === '/api/config') return answer(200, 'application/json', JSON.stringify(state.startup || {}));
    if (path.startsWith('/vendor/')) {
      const name = path.slice(8).replace('.js', '');
      return file(modules, `${name}/umd/${name}.production.min.js`);
    }
    if (path.startsWith('/page/')) return file(join(here, 'page/'), path.slice(6));
    if (path.startsWith('/smartrouter/')) {
      if (state.missing?.test(path)) return answer(404, 'text/plain', 'not found');
      for (const [end, text] of Object.entries(state.replace || {})) if (path.endsWith(end)) return answer(200, TYPES[end.split('.').pop()] || 'text/plain', text);
      return file(folder.endsWith('/') ? folder : `${folder}/`, path.slice(13));
    }
    if (path === '/' || /^\/c\//.test(path)) {
      const page = readFileSync(join(here, 'page/index.html'), 'utf8').replace('<!--tag-->', state.tag ?? TAG);
      const csp = state.csp ? { 'Content-Security-Policy': state.csp } : {};
      if (/gzip/.test(request.headers['accept-encoding'])) return answer(200, 'text/html', gzipSync(page), { ...csp, 'Content-Encoding': 'gzip' });
      return answer(200, 'text/html', page, csp);
    }
    answer(404, 'text/plain', 'not found');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.url = `http://localhost:${server.address().port}`;
  state.close = () => new Promise((resolve) => (server.closeAllConnections?.(), server.close(resolve)));
  return state;
}
