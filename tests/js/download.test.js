import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Download, downloadBytes } from '../../web/download.js';
import { fail } from '../../web/wasm.js';
import { container, random } from './build-asset.js';
import { failure } from './setup.js';

const next = random(5);
const body = Uint8Array.from({ length: 5_000_000 }, () => next() * 256);
const file = container('SRM1', [{ kind: 1, bytes: body.subarray(0, 100) }, { kind: 2, bytes: body }]);
const content = Buffer.from(file.subarray(16, 24)).reverse().toString('hex');
const sha256 = createHash('sha256').update(file).digest('hex');

/** Cache Storage as browsers have it, as far as we use it. */
class FakeCaches {
  constructor() {
    this.stores = new Map();
    this.quota = Infinity;
  }
  async open(name) {
    if (this.blocked) throw new DOMException('blocked', 'SecurityError');
    if (!this.stores.has(name)) this.stores.set(name, new Map());
    const store = this.stores.get(name);
    return {
      match: async (url) => (store.has(url) ? new Response(store.get(url)) : undefined),
      put: async (url, response) => {
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (this.used() + bytes.length > this.quota) throw new DOMException('full', 'QuotaExceededError');
        store.set(url, bytes);
      },
      keys: async () => [...store.keys()].map((url) => ({ url })),
      delete: async (url) => store.delete(url),
    };
  }
  used() {
    return [...this.stores.values()].flatMap((s) => [...s.values()]).reduce((n, b) => n + b.length, 0);
  }
  entries() {
    return [...this.stores.values()].flatMap((s) => [...s.keys()]);
  }
}

describe('downloads', () => {
  let server, url, seen, answer;
  const send = (request, response, { bytes = file, cut = Infinity, ranges = true } = {}) => {
    const [, from] = (ranges && /^bytes=(\d+)-$/.exec(request.headers.range ?? '')) || [];
    const start = Number(from ?? 0);
    response.writeHead(from ? 206 : 200, {
      'content-length': bytes.length - start,
      ...(from && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    });
    response.write(bytes.subarray(start, Math.min(start + cut, bytes.length)), () => {
      if (start + cut < bytes.length) setTimeout(() => request.socket.destroy(), 20);
      else response.end();
    });
  };
  before(async () => {
    server = createServer((request, response) => {
      seen.push(request.headers.range ?? '');
      answer(request, response, seen.length);
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${server.address().port}/model.srm?v=1`;
  });
  beforeEach(() => {
    seen = [];
    answer = send;
    globalThis.caches = new FakeCaches();
  });
  after(() => (server.closeAllConnections(), server.close(), delete globalThis.caches));
  const settled = () => new Promise((done) => setTimeout(done, 50));
  const get = (options, source = url) => downloadBytes(source, { wait: 1, ...options });

  test('from bytes, a path, a file URL and http', async () => {
    const path = `${mkdtempSync(`${tmpdir()}/smartrouter `)}/a file #1.srm`;
    writeFileSync(path, file);
    for (const source of [file, file.buffer.slice(0), path, new URL(url), url])
      assert.deepEqual((await get({}, source)).bytes, file);
  });

  test('tells how far it is, and hands on bytes in order', async () => {
    const events = [];
    let at = 0;
    const sink = {
      begin: (total) => events.push(total),
      write: (chunk, offset) => (assert.equal(offset, at), (at += chunk.length)),
      arrived: (received) => assert.equal(received, at),
    };
    await new Download(url, {}).run(sink);
    assert.deepEqual(events, [file.length]);
    assert.equal(at, file.length);
  });

  for (const cut of [10, 64, 1000, 2_097_152, 3_000_000, file.length - 1])
    test(`goes on by Range after a cut at ${cut} bytes`, async () => {
      answer = (request, response, n) => send(request, response, n === 1 ? { cut } : {});
      assert.deepEqual((await get()).bytes, file);
      assert.equal(seen.length, 2);
      assert.match(seen[1], cut < 64 ? /^$/ : new RegExp(`^bytes=${cut}-$`));
    });

  test('goes on where a server has no ranges', async () => {
    answer = (request, response, n) => send(request, response, n < 3 ? { cut: 1_000_000 * n, ranges: false } : { ranges: false });
    assert.deepEqual((await get()).bytes, file);
    assert.equal(seen.length, 3);
  });

  test('gives up after four tries without progress, and goes on from there when asked again', async () => {
    answer = (request, response, n) => (n === 1 ? send(request, response, { cut: 500_000 }) : response.writeHead(503).end());
    const download = new Download(url, { wait: 1 });
    const data = new Uint8Array(file.length);
    const sink = { begin: () => {}, write: (chunk, offset) => data.set(chunk, offset) };
    const error = await failure(download.run(sink));
    assert.equal(error.code, 'SR_FETCH');
    assert.match(error.message, /status 503/);
    answer = send;
    await download.run(sink);
    assert.deepEqual(data, file);
    assert.equal(seen.at(-1), 'bytes=500000-');
  });

  test('404 is final at once', async () => {
    answer = (request, response) => response.writeHead(404).end('no');
    assert.match((await failure(get())).message, /status 404/);
    assert.equal(seen.length, 1);
  });

  test('a web page, an empty answer and a lying header are refused', async () => {
    answer = (request, response) => response.end('<!doctype html>' + 'x'.repeat(200));
    let error = await failure(get());
    assert.equal(error.code, 'SR_E_MAGIC');
    assert.match(error.message, /web page/);
    answer = (request, response) => response.end();
    assert.equal((await failure(get())).code, 'SR_E_MAGIC');
    answer = (request, response) => response.end(Buffer.concat([file, Buffer.from('more')]));
    assert.equal((await failure(get())).code, 'SR_E_FORMAT');
    assert.equal((await failure(get({}, file.subarray(0, 1000)))).code, 'SR_E_TRUNCATED');
    assert.equal((await failure(get({}, file.subarray(0, 10)))).code, 'SR_E_TRUNCATED');
    assert.equal((await failure(get({}, new Uint8Array(0)))).code, 'SR_E_MAGIC');
  });

  test('another content than the pin is refused after 64 bytes', async () => {
    const error = await failure(get({ pin: '0123456789abcdef' }));
    assert.equal(error.code, 'SR_E_MODEL');
    assert.ok((await get({ pin: content })).bytes);
  });

  test('aborts', async () => {
    answer = (request, response) => response.write(file.subarray(0, 1000));
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 30);
    assert.equal((await failure(get({ signal: abort.signal }))).name, 'AbortError');
  });

  test('the second time it comes from the cache, without the network, when the content is known', async () => {
    await get({ pin: content });
    await settled();
    assert.equal(caches.entries().length, 3);
    seen = [];
    const again = await get({ pin: content });
    assert.ok(again.fromCache);
    assert.deepEqual(again.bytes, file);
    assert.deepEqual(seen, []);
  });

  test('a part that is missing from the cache is fetched by Range', async () => {
    await get({ pin: content });
    await settled();
    const [store] = caches.stores.values();
    store.delete([...store.keys()].find((k) => k.endsWith('.1')));
    seen = [];
    assert.deepEqual((await get({ pin: content })).bytes, file);
    assert.deepEqual(seen, ['bytes=2097152-']);
  });

  test('a download that was cut goes on from the cache after a reload', async () => {
    answer = (request, response, n) => (n === 1 ? send(request, response, { cut: 3_000_000 }) : response.writeHead(500).end());
    await failure(get({ pin: content }));
    await settled();
    seen = [];
    answer = send;
    assert.deepEqual((await get({ pin: content })).bytes, file);
    assert.deepEqual(seen, ['bytes=2097152-']);
  });

  test('a damaged cache entry is dropped and fetched again', async () => {
    await get({ pin: content });
    await settled();
    const [store] = caches.stores.values();
    for (const bytes of store.values()) bytes[1000] ^= 1;
    let data;
    const sink = {
      begin: (total) => (data = new Uint8Array(total)),
      write: (chunk, offset) => data.set(chunk, offset),
      arrived: (n) => {
        if (n === file.length && Buffer.compare(data, file)) throw fail('SR_E_CHECKSUM', 'damaged');
      },
    };
    seen = [];
    await new Download(url, { pin: content }).run(sink);
    assert.deepEqual(data, file);
    assert.equal(seen.length, 1);
    await settled();
    seen = [];
    assert.ok((await get({ pin: content })).fromCache, 'and the cache is whole again');
    assert.deepEqual(seen, []);
  });

  test('damaged on the wire: once more, then it says so', async () => {
    const damaged = file.slice();
    damaged[1000] ^= 1;
    answer = (request, response, n) => send(request, response, { bytes: n === 1 ? damaged : file });
    assert.deepEqual((await get({ integrity: sha256 })).bytes, file);
    answer = (request, response) => send(request, response, { bytes: damaged });
    assert.equal((await failure(get({ integrity: sha256 }))).code, 'SR_INTEGRITY');
  });

  test('integrity in hexadecimal and as in HTML', async () => {
    await get({ integrity: sha256.toUpperCase() });
    await get({ integrity: `sha256-${Buffer.from(sha256, 'hex').toString('base64')}` });
    assert.equal((await failure(get({ integrity: sha256.replace(/^./, 'x') }, file))).code, 'SR_INTEGRITY');
  });

  test('full or blocked storage goes on without', async () => {
    caches.quota = 3_000_000;
    assert.deepEqual((await get({ pin: content })).bytes, file);
    await settled();
    caches = new FakeCaches();
    caches.blocked = true;
    assert.deepEqual((await get({ pin: content })).bytes, file);
    await get({ cache: false });
  });

  test('an asset without a pin: the network first, the cache when the network is away', async () => {
    await get();
    await settled();
    answer = (request) => request.socket.destroy();
    const away = await get();
    assert.ok(away.fromCache);
    assert.deepEqual(away.bytes, file);
  });

  test('a new content replaces the old one in the cache', async () => {
    await get();
    const other = container('SRM1', [{ kind: 1, bytes: body.subarray(0, 3_000_000) }]);
    answer = (request, response) => send(request, response, { bytes: other });
    await get();
    await settled();
    assert.equal(caches.entries().length, 2);
  });
});
