// Loads one build of the WebAssembly and gives access to its memory.

export const isNode = typeof process === 'object' && !!process.versions?.node;

// Literal URLs, because bundlers only follow those.
const BUILDS = {
  'matcher-scalar': () => new URL('./wasm/matcher-scalar.wasm', import.meta.url),
  'matcher-simd128': () => new URL('./wasm/matcher-simd128.wasm', import.meta.url),
  'matcher-relaxed': () => new URL('./wasm/matcher-relaxed.wasm', import.meta.url),
  'smartrouter-scalar': () => new URL('./wasm/smartrouter-scalar.wasm', import.meta.url),
  'smartrouter-simd128': () => new URL('./wasm/smartrouter-simd128.wasm', import.meta.url),
  'smartrouter-relaxed': () => new URL('./wasm/smartrouter-relaxed.wasm', import.meta.url),
};

// Modules of one function with the newest opcodes of its level, in their final encoding.
const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10];
const splat = [65, 1, 253, 15];
const probe = (...code) =>
  WebAssembly.validate(new Uint8Array([...head, code.length + 4, 1, code.length + 2, 0, ...code, 11]));

export function bestVariant() {
  if (typeof WebAssembly !== 'object') return 'scalar';
  if (probe(...splat, ...splat, 253, 146, 2, ...splat, ...splat, 253, 147, 2)) return 'relaxed';
  return probe(...splat, 253, 98) ? 'simd128' : 'scalar';
}

export function fail(code, message, cause) {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  if (code === 'SR_OVERTAKEN' || code === 'SR_DISPOSED') error.name = 'AbortError';
  error.code = code;
  return error;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const modules = new Map(); // URL to promise: routers share compiled code

export class Wasm {
  static async open({ wasm, variant = bestVariant(), full }) {
    if (!/^(scalar|simd128|relaxed)$/.test(variant)) throw new TypeError(`unknown variant: ${variant}`);
    let module = wasm;
    if (!(module instanceof WebAssembly.Module)) {
      const name = `${full ? 'smartrouter' : 'matcher'}-${variant}`;
      if (isBytes(wasm)) module = await compile(toBytes(wasm), name);
      else {
        const url = wasm === undefined ? BUILDS[name]() : new URL(`${name}.wasm`, absolute(wasm));
        let pending = modules.get(url.href);
        if (!pending) {
          pending = fetchBytes(url).then((bytes) => compile(bytes, name));
          modules.set(url.href, pending);
          pending.catch(() => modules.delete(url.href));
        }
        module = await pending;
      }
    }
    const self = new Wasm();
    try {
      const { exports } = await WebAssembly.instantiate(module, {
        env: { emscripten_notify_memory_growth: () => self.#views() },
      });
      exports._initialize?.();
      self.module = module;
      self.x = exports;
    } catch (cause) {
      throw fail('SR_WASM', `the WebAssembly did not start: ${cause.message}`, cause);
    }
    self.variant = self.string(self.x.variant());
    return self;
  }

  // Views go stale when memory grows: always come through here.
  get u8() {
    return this.#fresh().a8;
  }
  get u32() {
    return this.#fresh().a32;
  }
  get f32() {
    return this.#fresh().af;
  }
  #fresh() {
    if (this.a8?.buffer !== this.x.memory.buffer) this.#views();
    return this;
  }
  #views() {
    if (!this.x) return;
    const { buffer } = this.x.memory;
    this.a8 = new Uint8Array(buffer);
    this.a32 = new Uint32Array(buffer);
    this.af = new Float32Array(buffer);
  }

  alloc(bytes) {
    const at = this.x.alloc(bytes);
    if (!at) throw fail('SR_E_MEMORY', `out of memory: ${bytes} bytes wanted`);
    return at;
  }
  free(at) {
    if (at) this.x.release(at);
  }
  put(bytes) {
    const at = this.alloc(bytes.length);
    this.u8.set(bytes, at);
    return at;
  }
  // As TextEncoder; the caller frees `at`.
  putText(text) {
    const at = this.alloc(text.length * 3);
    return { at, bytes: encoder.encodeInto(text, this.u8.subarray(at, at + text.length * 3)).written };
  }
  withText(text, use) {
    const { at, bytes } = this.putText(text);
    try {
      return use(at, bytes);
    } finally {
      this.free(at);
    }
  }
  text(at) {
    const [data, bytes] = this.u32.subarray(at >> 2, (at >> 2) + 2);
    return decoder.decode(this.u8.subarray(data, data + bytes));
  }
  string(at) {
    return decoder.decode(this.u8.subarray(at, this.u8.indexOf(0, at)));
  }
  hex64(at) {
    const [low, high] = this.u32.subarray(at >> 2, (at >> 2) + 2);
    return (high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0'));
  }
  /** Passes counts and pointers on; throws on a negative code. */
  check(code, what) {
    if (code >= 0) return code;
    const text = this.string(this.x.error_text(code));
    throw fail(this.string(this.x.error_name(code)), what ? `${what}: ${text}` : text);
  }
}

async function compile(bytes, name) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw fail('SR_WASM', `cannot compile ${name}.wasm (does the page's policy lack 'wasm-unsafe-eval'?): ` +
      cause.message, cause);
  }
}

export const isBytes = (v) => v instanceof Uint8Array || v instanceof ArrayBuffer;
export const toBytes = (v) => (v instanceof Uint8Array ? v : new Uint8Array(v));

/** A Source that is not bytes, as an absolute URL. */
export function absolute(source, what = 'source') {
  if (source instanceof URL) return source;
  if (typeof source !== 'string' || !source) throw new TypeError(`${what} must be a URL, a string or bytes`);
  if (!isNode) return new URL(source, globalThis.document?.baseURI ?? globalThis.location?.href);
  if (/^[a-z][a-z0-9+.-]+:/i.test(source)) return new URL(source);
  return new URL(encodeURI(source).replace(/[?#]/g, encodeURIComponent), `file://${process.cwd()}/`);
}

/** A small file in one go. */
export async function fetchBytes(source, signal) {
  if (isBytes(source)) return toBytes(source);
  const url = absolute(source);
  if (isNode && url.protocol === 'file:') return (await import('./node.js')).readFile(url);
  let response;
  try {
    response = await fetch(url, { signal });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw fail('SR_FETCH', `cannot fetch ${url.href}: ${cause.message}`, cause);
  }
  throw fail('SR_FETCH', `cannot fetch ${url.href}: status ${response.status}`);
}
