// A static file server for the demo and for browser tests: gzip, ranges, no dependencies. Loopback only.
//   node tests/serve.js FOLDER [PORT]
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.json': 'application/json', '.svg': 'image/svg+xml', '.wasm': 'application/wasm', '.md': 'text/markdown; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8', '.webmanifest': 'application/manifest+json',
};
const PACKED = new Set([...Object.keys(TYPES), '.srr', '.srt']); // a model's bits do not get smaller

/** before(request, response): true when it has answered itself. Resolves to { url, log, close }. log: what was sent. */
export async function serve(folder, { port = 0, before } = {}) {
  const root = resolve(folder) + sep;
  const packed = new Map();
  const log = [];
  const server = createServer(async (request, response) => {
    try {
      if (before?.(request, response)) return;
      await answer(request, response);
    } catch (error) {
      response.writeHead(error.code === 'ENOENT' || error.code === 'EISDIR' ? 404 : 500).end();
    }
  });

  async function answer(request, response) {
    const { pathname } = new URL(request.url, 'http://localhost');
    let path = resolve(root, `.${decodeURIComponent(pathname)}`);
    if (!(path + sep).startsWith(root) || !/^(GET|HEAD)$/.test(request.method)) return void response.writeHead(403).end();
    let info = await stat(path);
    if (info.isDirectory()) {
      if (!pathname.endsWith('/')) return void response.writeHead(302, { location: `${pathname}/` }).end();
      path += `${sep}index.html`;
      info = await stat(path);
    }
    const type = extname(path);
    const headers = {
      'content-type': TYPES[type] ?? 'application/octet-stream', 'cache-control': 'no-cache',
      etag: `"${info.size.toString(16)}-${Math.round(info.mtimeMs).toString(16)}"`, 'x-content-type-options': 'nosniff',
    };
    if (request.headers['if-none-match'] === headers.etag) return void response.writeHead(304, headers).end();
    const send = (status, more, body, bytes) => {
      log.push({ path: pathname, status, bytes });
      response.writeHead(status, { ...headers, ...more, 'content-length': bytes });
      if (request.method === 'HEAD') response.end();
      else if (Buffer.isBuffer(body)) response.end(body);
      else body.on('error', () => response.destroy()).pipe(response);
    };
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (from !== undefined) {
      const start = Number(from), end = Math.min(to ? Number(to) : Infinity, info.size - 1);
      if (start > end) return void response.writeHead(416, { 'content-range': `bytes */${info.size}` }).end();
      const range = { 'content-range': `bytes ${start}-${end}/${info.size}` };
      return send(206, range, createReadStream(path, { start, end }), end - start + 1);
    }
    if (PACKED.has(type) && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
      const key = path + headers.etag;
      if (!packed.has(key)) packed.set(key, gzipSync(await readFile(path), { level: 9 }));
      const body = packed.get(key);
      return send(200, { 'content-encoding': 'gzip', vary: 'accept-encoding' }, body, body.length);
    }
    send(200, { 'accept-ranges': 'bytes' }, createReadStream(path), info.size);
  }

  await new Promise((listening, failed) => server.once('error', failed).listen(port, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    log,
    close: () => (server.closeAllConnections(), new Promise((closed) => server.close(closed))),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = '.', port = '0'] = process.argv.slice(2);
  const { url } = await serve(folder, { port: Number(port) });
  console.log(`Serving ${folder} at ${url}\nCtrl-C ends.`);
}
