// The page's end of worker.js, with the interface of Host. A worker that crashes is replaced; what it was answering is asked once
// more, then given up.
import { fail, isNode } from './wasm.js';

const HELLO_MS = 10000;
const MOST_CRASHES = 5; // in a row, without an answer between them

async function spawn(url) {
  if (isNode) return (await import('./node.js')).startWorker(url ?? new URL('./worker.js', import.meta.url));
  const worker = url
    ? new Worker(url, { type: 'module' })
    : new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.busy = () => {};
  return worker;
}

/** Where the encoder runs: in a worker, or where there is none in slices on this thread. matcher and engine may be missing. */
export async function startHost({ worker, wasm, matcher = null, engine, emit }) {
  if (worker !== false) {
    const opening = () => ({
      module: wasm.module,
      asset: matcher && wasm.u8.slice(matcher.asset, matcher.asset + matcher.bytes),
    });
    try {
      return { host: await Client.start(worker === true ? null : worker, opening, emit), inWorker: true };
    } catch {
      // blocked by the page's policy, or a script from elsewhere
    }
  }
  const { Host, pause } = await import('./host.js');
  return { host: new Host(wasm, matcher, { emit, pause, engine }), inWorker: false };
}

export class Client {
  /** opening() gives { module, asset }, also for the next worker after a crash. Rejects where workers do not run. */
  static async start(url, opening, emit) {
    const self = new Client();
    Object.assign(self, { url, opening, emit, requests: new Map(), learned: new Map(), ids: 0, crashes: 0 });
    await self.#spawn();
    return self;
  }

  /** A worker can vanish without an event (out of memory), or never come back. Four ticks of silence while something is asked,
   * the last two after a ping, and it counts as dead; ticks, not the clock, so that a sleeping laptop harms nobody. */
  static tickMs = 5000;
  #watch() {
    this.silent = 0;
    if (this.timer) return;
    this.timer = setInterval(() => {
      if (!this.requests.size || this.closed) return (this.timer = clearInterval(this.timer));
      if (++this.silent === 2) this.port.postMessage({ type: 'ping', id: 0 });
      if (this.silent === 4) this.#crashed('it does not answer');
    }, Client.tickMs);
    this.timer.unref?.();
  }

  async #spawn() {
    const port = await spawn(this.url);
    this.port = port;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the worker does not answer')), HELLO_MS);
      const settle = (how) => (value) => (clearTimeout(timer), how(value));
      port.onmessage = settle(resolve);
      port.onerror = settle(reject);
      port.busy(true);
    }).catch((error) => {
      port.terminate();
      throw fail('SR_WORKER', `the worker did not start: ${error.message ?? 'blocked'}`, error);
    });
    port.onmessage = ({ data }) => this.port === port && this.#receive(data);
    port.onerror = port.onmessageerror = (event) => {
      event.preventDefault?.();
      if (this.port === port) this.#crashed(event.message);
    };
    await this.#ask({ type: 'open', ...this.opening() });
    for (const [exit, entries] of this.learned) this.#ask({ type: 'learned', exit, entries }).catch(() => {});
  }

  #receive(message) {
    this.silent = 0;
    const request = this.requests.get(message.id);
    if (message.type === 'trap') return this.#crashed(message.error.message);
    if (message.type === 'done') {
      if (request?.message.type === 'route') this.crashes = 0;
      this.#settle(request, () => request.resolve(message.value));
    }
    else if (message.type === 'failed') this.#settle(request, () => request.reject(revive(message.error)));
    else this.emit(message.error ? { ...message, error: revive(message.error) } : message);
  }
  #settle(request, how) {
    if (!request) return;
    this.requests.delete(request.message.id);
    if (!this.requests.size && !this.recovering) this.port.busy(false);
    how();
  }

  #ask(message, id = ++this.ids) {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(fail('SR_DISPOSED', 'disposed'));
      if (this.broken) return reject(this.broken);
      const request = { message: { ...message, id }, resolve, reject, tried: 0 };
      this.requests.set(id, request);
      this.#send(request);
    });
  }
  #send(request) {
    this.port.busy(true);
    this.port.postMessage(request.message);
    this.#watch();
  }

  async #crashed(why) {
    const port = this.port;
    this.port = { postMessage() {}, terminate() {}, busy() {} };
    port.terminate();
    if (this.closed) return;
    const lost = [...this.requests.values()];
    this.requests.clear();
    const error = fail('SR_WORKER', `the worker crashed: ${why ?? 'no reason given'}`);
    const giveUp = (request) => request.reject(error);
    if (++this.crashes > MOST_CRASHES) return void (this.#failed(error), lost.forEach(giveUp));
    this.recovering = true; // keep Node's process alive until what was lost is asked again
    try {
      await this.#spawn();
      const loading = lost.find((r) => r.message.type === 'load');
      const again = this.loadMessage && this.#ask({ ...this.loadMessage });
      if (loading) again.then(loading.resolve, loading.reject);
      await again?.catch(() => {}); // as deep as before; when it fails, what is there answers
    } catch (cause) {
      return void (this.#failed(cause), lost.forEach(giveUp));
    } finally {
      this.recovering = false;
    }
    for (const request of lost) {
      if (request.message.type === 'load' || request.message.type === 'learned') continue;
      if (request.tried++ || request.message.type === 'retry') giveUp(request);
      else this.requests.set(request.message.id, request), this.#send(request);
    }
  }
  #failed(error) {
    this.broken = error;
    this.emit({ type: 'state', state: 'failed', exit: -1, loadedBytes: 0, totalBytes: 0, fromCache: false, error });
  }

  load(source, { signal, ...options }) {
    signal?.addEventListener('abort', () => this.abort(), { once: true });
    this.loadMessage = { type: 'load', source: source instanceof URL ? source.href : source, options };
    return this.#ask(this.loadMessage).then((info) => (this.info = info));
  }
  abort() {
    this.#ask({ type: 'abort' }).catch(() => {});
  }
  retry() {
    return this.#ask({ type: 'retry' });
  }
  route(id, text, options) {
    return this.#ask({ type: 'route', text, options }, id);
  }
  /** Ids of route() come from here: they are the messages' own. */
  nextId() {
    return ++this.ids;
  }
  drop(which) {
    this.#ask({ type: 'drop', which }).catch(() => {});
  }
  rows(text) {
    return this.#ask({ type: 'rows', text });
  }
  vectors(texts, layers) {
    return this.#ask({ type: 'vectors', texts, layers });
  }
  whitening(layer) {
    return this.#ask({ type: 'whitening', layer });
  }
  setLearned(exit, entries) {
    this.learned.set(exit, entries);
    return this.#ask({ type: 'learned', exit, entries });
  }
  dispose() {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.timer);
    this.port.terminate();
    for (const { reject } of this.requests.values()) reject(fail('SR_DISPOSED', 'disposed'));
    this.requests.clear();
  }
}

function revive({ code, message, name }) {
  const error = fail(code, message);
  if (name) error.name = name;
  return error;
}
