// The encoder's home: in a worker (worker.js) or, in slices, on the page's own thread. Loads the model part by part and
// answers one request at a time, exit by exit, letting newer text in between.
import { Download } from './download.js';
import { Engine, Pipe } from './engine.js';
import { project, setLearned } from './learned-rows.js';
import { fail, isNode } from './wasm.js';

/** A turn of the event loop, so that messages and input get in. Timers would wait 4 ms; scheduler.yield() lets our own next slice
 * go before everybody else's timers, so a page would stand still for a whole prompt. */
export const pause = isNode ? () => new Promise(setImmediate) : messagePause();
function messagePause() {
  const { port1, port2 } = new MessageChannel();
  const waiting = [];
  port1.onmessage = () => waiting.shift()();
  return () => new Promise((go) => (waiting.push(go), port2.postMessage(0)));
}

/** A task is over after so many milliseconds, or, since some browsers' clocks are too coarse to tell, so many steps: at most 32 tokens
 * through half a layer each. In the worker, too: newer text gets in sooner, and a slow machine still answers pings. */
export const SLICE_MS = 8, SLICE_STEPS = 4;

export class Host {
  /** emit(message): 'state', 'first', 'interim'. pause(): resolves when others have had their turn. */
  constructor(wasm, matcher, { emit, pause, engine }) {
    Object.assign(this, { wasm, matcher, emit, pause });
    this.engine = engine ?? new Engine(wasm, matcher);
    this.ids = 0;
    this.dropped = new Set();
    this.turn = Promise.resolve();
    this.state = { state: 'loading', exit: -1, loadedBytes: 0, totalBytes: 0, fromCache: false };
  }

  // ---- loading

  /** options as Download's, and previewLayer: hand out the first part once this layer is in it (-1: never). */
  load(source, options) {
    this.aborting = new AbortController();
    options.signal?.addEventListener('abort', () => this.abort(), { once: true });
    this.download = new Download(source, { ...options, signal: this.aborting.signal, what: 'model' });
    this.previewLayer = options.previewLayer ?? -1;
    return this.retry();
  }
  /** Resolves to what the model says of itself. */
  retry() {
    return (this.loading = this.#run());
  }
  abort() {
    this.aborting?.abort();
  }
  async #run() {
    const { engine, download } = this;
    const whole = !!download.integrity; // then nothing is used before all of it is checked
    let handed = false;
    const sink = {
      begin: (total) => {
        this.#tell({ state: 'loading', exit: -1, totalBytes: total });
        engine.beginModel(total);
      },
      write: (chunk, offset) => engine.writeModel(chunk, offset),
      bytes: () => engine.fileView(0, download.total),
      arrived: async (received) => {
        if (this.closed) throw fail('SR_DISPOSED', 'disposed');
        if (!whole) {
          const before = engine.ready;
          const ready = engine.extendModel(received);
          if (!handed && this.previewLayer >= 0 && ready >= this.previewLayer && this.matcher) {
            handed = true;
            this.emit({ type: 'first', bytes: engine.fileView(0, received).slice() });
          }
          if (ready !== before) return this.#arrived(received);
        }
        this.#tell({ loadedBytes: received }, true);
      },
    };
    try {
      this.#tell({ state: engine.ready < 0 ? 'loading' : 'exit', error: null });
      await download.run(sink);
      if (whole) {
        engine.extendModel(download.total);
        if (this.previewLayer >= 0 && this.matcher) this.emit({ type: 'first', bytes: engine.fileView(0, download.total).slice() });
      }
      this.#arrived(download.total);
      this.#tell({ state: 'full' });
      return engine.info;
    } catch (error) {
      if (engine.ready < 0) this.#tell({ exit: -1 });
      this.#tell({ state: 'failed', error });
      throw error;
    }
  }
  #arrived(loadedBytes) {
    const { engine } = this;
    let exit = -1;
    if (this.matcher) for (const e of this.matcher.exits) if (e.embedder === 'encoder' && e.layer <= engine.ready) exit = e.exit;
    this.#tell({ state: engine.ready < 0 ? 'loading' : 'exit', exit, loadedBytes });
  }
  #tell(change, quietly) {
    Object.assign(this.state, change, { fromCache: this.download.fromCache });
    const now = performance.now();
    if (quietly && now - (this.told ?? 0) < 50) return; // progress alone: twenty times a second are enough
    this.told = now;
    this.emit({ type: 'state', ...this.state });
  }

  // ---- requests: one at a time, in order

  #next(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }
  nextId() {
    return ++this.ids;
  }
  drop(id) {
    this.dropped.add(id);
  }

  /** Resolves to a decision, or to null when it was dropped. */
  route(id, text, { first = 0, last = Infinity, interim = false } = {}) {
    return this.#next(async () => {
      try {
        await this.pause();
        this.routePipe ??= new Pipe(this.engine, { table: false });
        const pipe = this.routePipe;
        const exits = pipe.usable().filter(({ exit }) => exit >= first && exit <= last);
        if (!exits.length) throw fail('SR_NOT_READY', 'the model has not arrived yet');
        pipe.start(text);
        let decision = null;
        for (const exit of exits) {
          if (!(await this.#read(pipe, exit.layer, id))) return null;
          decision = pipe.answer(exit.exit);
          const pieces = pipe.read(exit.layer);
          if (pieces) decision.pieces = pieces;
          if (decision.confidence >= exit.stopConfidence || !pieces) break;
          if (interim) this.emit({ type: 'interim', id, decision });
        }
        return decision;
      } finally {
        this.routePipe?.end();
        this.dropped.delete(id);
      }
    });
  }

  /** Lets a pipe read up to a layer, with pauses; false when the request was dropped meanwhile. */
  async #read(pipe, layer, id) {
    for (let more = true; more; ) {
      const began = performance.now();
      for (let steps = 0; more && steps < SLICE_STEPS && performance.now() - began < SLICE_MS; steps++) more = pipe.step(layer);
      await this.pause();
      if (this.dropped.has(id)) return false;
    }
    return true;
  }

  /** Rows for learning: { exit: row } for each exit that can answer now, in the exit's own space. */
  rows(text) {
    return this.#next(async () => {
      const pipe = new Pipe(this.engine, { table: false });
      const rows = {};
      try {
        pipe.start(text);
        for (const { exit, layer } of pipe.usable()) {
          await this.#read(pipe, layer);
          pipe.answer(exit);
          const vector = pipe.vector(exit);
          if (vector) rows[exit] = project(this.matcher, vector, exit);
        }
      } finally {
        pipe.close();
      }
      return rows;
    });
  }

  /** Plain vectors after each of these ascending layers. */
  vectors(texts, layers) {
    return this.#next(async () => {
      const out = [];
      for (const text of texts) {
        await this.pause();
        out.push(this.engine.vectors(text, layers));
      }
      return out;
    });
  }
  whitening(layer) {
    return this.#next(async () => this.engine.whitening(layer));
  }

  setLearned(exit, entries) {
    setLearned(this.matcher, exit, entries);
  }

  dispose() {
    if (this.closed) return;
    this.closed = true;
    this.turn = this.turn.then(() => this.engine.dispose());
  }
}
