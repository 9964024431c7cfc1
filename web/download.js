// Fetches a container file (.srr, .srm, .srt) with progress: from bytes, a disk, Cache Storage or the network; resumes by Range.
//
// Cache Storage holds parts of 2 MiB under URL + content id + part, so that a download that was cut goes on after a reload, too.
// The content id comes from the route asset's pin, or from the file's own header. Storage that is blocked or full never
// fails a download. What a file says is checked in C, section by section, before it is used.
import { absolute, fail, isBytes, isNode, toBytes } from './wasm.js';

const PART = 1 << 21;
const TRIES = 4;
/** Where storage is blocked, asking for `caches` may throw already. */
function hasCaches() {
  try {
    return !!globalThis.caches;
  } catch {
    return false;
  }
}
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

export class Download {
  /** pin: the content id that it must have, if known. wait: first pause before a retry, in ms. */
  constructor(source, { pin, cache = true, integrity, signal, what = 'file', wait = 250 } = {}) {
    Object.assign(this, { pin, integrity, signal, what, wait });
    if (isBytes(source)) this.bytes = toBytes(source);
    else this.url = absolute(source, what);
    this.cacheName = cache === true ? 'smartrouter' : cache;
    if (!this.url || !/^https?:$/.test(this.url.protocol) || !hasCaches()) this.cacheName = false;
    this.#reset();
  }
  #reset() {
    this.received = this.total = 0;
    this.fromCache = false;
    this.head = new Uint8Array(0);
    this.part = null;
  }

  /** sink: begin(total), write(chunk, offset), arrived(received) which may throw what C says of the bytes. Call again
   * after a failure: it goes on from the bytes already there. */
  async run(sink) {
    this.sink = sink;
    for (let again = false; ; again = true) {
      try {
        await this.#once();
        await this.#checkIntegrity();
        return;
      } catch (error) {
        // Damaged: by the cache, by a proxy, or because the file changed between two ranges. Once more, past all caches.
        const damaged = error.code === 'SR_E_CHECKSUM' || error.code === 'SR_INTEGRITY' ||
          (this.fromCache && /^SR_E_(FORMAT|TRUNCATED|MAGIC|MODEL)/.test(error.code));
        if (!damaged || this.bytes || this.url.protocol === 'file:') throw error;
        await this.#forget();
        this.#reset();
        this.reload = true;
        if (again) throw error;
      }
    }
  }

  async #once() {
    if (this.bytes) return void (await this.#push(this.bytes), await this.#end());
    if (isNode && this.url.protocol === 'file:') {
      const { chunks } = await (await import('./node.js')).readStream(this.url, this.received + this.head.length);
      for await (const chunk of chunks) {
        this.signal?.throwIfAborted();
        await this.#push(chunk);
      }
      return this.#end();
    }
    if (this.pin && !this.received && !this.reload) await this.#fromCache(this.pin);
    for (let tries = 1; !this.total || this.received < this.total; tries++) {
      const before = this.received;
      try {
        await this.#fetch();
      } catch (error) {
        this.signal?.throwIfAborted();
        if (!error.again) throw error;
        if (!this.received && !this.pin && (await this.#anyFromCache())) break; // offline
        if (this.received > before) tries = 1;
        if (tries >= TRIES) throw error;
        await sleep(this.wait * 2 ** (tries - 1));
      }
    }
    await this.#end();
  }

  async #fetch() {
    const { url, signal } = this;
    const offset = this.received;
    this.head = new Uint8Array(0);
    const lost = (cause) =>
      Object.assign(fail('SR_FETCH', `cannot fetch ${url.href}: ${cause.message ?? cause}`, cause), { again: true });
    let response;
    try {
      response = await fetch(url, {
        signal,
        headers: offset ? { range: `bytes=${offset}-` } : {},
        cache: this.reload ? 'reload' : 'default',
      });
    } catch (cause) {
      throw lost(cause);
    }
    if (!response.ok) {
      const error = fail('SR_FETCH', `cannot fetch ${url.href}: status ${response.status}`);
      throw Object.assign(error, { again: response.status >= 500 || response.status === 429 });
    }
    let skip = response.status === 206 ? 0 : offset; // a server without ranges sends all of it again
    const reader = response.body.getReader();
    try {
      for (;;) {
        let result;
        try {
          result = await reader.read();
        } catch (cause) {
          throw lost(cause);
        }
        if (result.done) break;
        let chunk = result.value;
        if (skip) {
          const drop = Math.min(skip, chunk.length);
          skip -= drop;
          chunk = chunk.subarray(drop);
        }
        if (chunk.length) await this.#push(chunk);
      }
    } finally {
      reader.cancel().catch(() => {});
    }
    if (this.total && this.received < this.total) throw lost(`ended after ${this.received} of ${this.total} bytes`);
    if (!this.total) await this.#end();
  }

  async #push(chunk) {
    if (!this.total) {
      const head = new Uint8Array(this.head.length + chunk.length);
      head.set(this.head);
      head.set(chunk, this.head.length);
      this.head = head;
      if (head.length < 64) return;
      if (head[0] !== 0x53 || head[1] !== 0x52) this.#notOurs();
      const view = new DataView(head.buffer);
      const total = view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
      this.content = view.getBigUint64(16, true).toString(16).padStart(16, '0');
      if (this.pin && this.content !== this.pin)
        throw fail('SR_E_MODEL', `${this.what}: content ${this.content}, but the route asset was made for ${this.pin}`);
      if (total < 64 || total >= 2 ** 31) throw fail('SR_E_FORMAT', `${this.what}: the file contradicts itself`);
      this.sink.begin(total);
      this.total = total;
      this.head = new Uint8Array(0);
      chunk = head;
    }
    if (this.received + chunk.length > this.total) throw fail('SR_E_FORMAT', `${this.what}: longer than it says`);
    this.sink.write(chunk, this.received);
    if (!this.reading) this.#keep(chunk);
    this.received += chunk.length;
    await this.sink.arrived?.(this.received);
  }
  #notOurs() {
    const start = new TextDecoder().decode(this.head.subarray(0, 40));
    throw fail('SR_E_MAGIC', `${this.what}: not a file of this kind${/^\s*</.test(start) ? ' but a web page' : ''}` +
      `${this.url ? ` (${this.url.href})` : ''}`);
  }
  async #end() {
    if (!this.total && this.head[0] === 0x53 && this.head[1] === 0x52) throw fail('SR_E_TRUNCATED', `${this.what}: the file ends too early`);
    if (!this.total) this.#notOurs();
    if (this.received < this.total) throw fail('SR_E_TRUNCATED', `${this.what}: the file ends too early`);
  }

  async #checkIntegrity() {
    if (!this.integrity) return;
    if (!globalThis.crypto?.subtle)
      throw fail('SR_INTEGRITY', `${this.what}: this page cannot compute SHA-256 (it needs https or localhost)`);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', this.sink.bytes()));
    const hex = Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
    const base64 = `sha256-${btoa(String.fromCharCode(...digest))}`;
    if (this.integrity.toLowerCase() !== hex && this.integrity !== base64)
      throw fail('SR_INTEGRITY', `${this.what}: SHA-256 is ${hex}, not what was asked for`);
  }

  // ---- Cache Storage
  #key(content, part) {
    const url = new URL(this.url);
    url.hash = '';
    url.searchParams.set('smartrouter', `${content}.${part}`);
    return url.href;
  }
  async #open() {
    if (!this.cacheName) return null;
    try {
      return (this.cache ??= await caches.open(this.cacheName));
    } catch {
      return (this.cacheName = false), null;
    }
  }
  async #fromCache(content) {
    const cache = await this.#open();
    if (!cache) return;
    this.reading = true;
    try {
      for (let i = 0; !this.total || this.received < this.total; i++) {
        const hit = await cache.match(this.#key(content, i)).catch(() => null);
        const bytes = hit && new Uint8Array(await hit.arrayBuffer().catch(() => new ArrayBuffer(0)));
        if (!bytes?.length) break;
        this.fromCache = true;
        if (bytes.length !== PART && this.total && this.received + bytes.length !== this.total)
          throw fail('SR_E_CHECKSUM', `${this.what}: damaged in the cache`);
        await this.#push(bytes);
      }
    } finally {
      this.reading = false;
    }
  }
  async #anyFromCache() {
    const cache = await this.#open();
    const keys = cache ? await cache.keys().catch(() => []) : [];
    const prefix = this.#key('', '').replace(/\.$/, '');
    const found = keys.map((k) => k.url).filter((k) => k.startsWith(prefix) && k.endsWith('.0')).pop();
    if (found) await this.#fromCache(found.slice(prefix.length, -2));
    return this.total > 0 && this.received === this.total;
  }
  #keep(chunk) {
    if (!this.cacheName) return;
    for (let from = 0; from < chunk.length; ) {
      const at = this.received + from;
      if (!this.part || !(at % PART)) this.part = new Uint8Array(Math.min(PART, this.total - (at - (at % PART))));
      const n = Math.min(chunk.length - from, this.part.length - (at % PART));
      this.part.set(chunk.subarray(from, from + n), at % PART);
      from += n;
      if ((at % PART) + n === this.part.length) this.#store((at - (at % PART)) / PART, this.part);
    }
  }
  #store(i, bytes) {
    const { content } = this;
    this.writing = Promise.resolve(this.writing).then(async () => {
      try {
        const cache = await this.#open();
        if (!cache) return;
        if (!i) await this.#forget(content);
        await cache.put(this.#key(content, i), new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } }));
      } catch {
        this.cacheName = false; // full or blocked: go on without
      }
    });
  }
  /** Drops this URL's entries, all or those of other contents. */
  async #forget(except) {
    try {
      const cache = await this.#open();
      const prefix = this.#key('', '').replace(/\.$/, '');
      for (const { url } of cache ? await cache.keys() : [])
        if (url.startsWith(prefix) && !(except && url.startsWith(prefix + except))) await cache.delete(url);
    } catch {
      // nothing to drop then
    }
  }
}

/** A whole file as bytes. */
export async function downloadBytes(source, options) {
  const sink = {
    begin: (total) => void (sink.data = new Uint8Array(total)),
    write: (chunk, offset) => sink.data.set(chunk, offset),
    bytes: () => sink.data,
  };
  const download = new Download(source, options);
  await download.run(sink);
  return { bytes: sink.data, fromCache: download.fromCache };
}

/** The route asset; kept for when the network is away. */
export async function fetchAsset(asset, { cache, integrity, signal }) {
  return (await downloadBytes(asset, { cache, integrity: integrity?.asset, signal, what: 'route asset' })).bytes;
}
