// Text to decision in WebAssembly memory: piece table, model, pipelines. Everything here is synchronous; host.js adds time.
import { WHY_COUNT } from './matcher.js';

const NONE = 0xffffffff;
const again = (code) => code === -5 || code === -15; // SR_E_TRUNCATED, SR_E_INCOMPLETE: come again with more

export class Engine {
  /** matcher may be null: vectors only. */
  constructor(wasm, matcher) {
    this.wasm = wasm;
    this.matcher = matcher;
    this.table = 0;
    this.model = 0;
    this.pipes = new Set();
    this.blocks = [];
    this.ready = -1; // deepest layer that has arrived
    this.generation = 0;
  }

  openTable(bytes) {
    const { wasm } = this;
    const at = wasm.put(bytes);
    this.blocks.push(at);
    this.table = wasm.check(wasm.x.table_open(at, bytes.length), 'piece table');
    this.generation++;
    new Pipe(this, { model: false }).close(); // tells now when the table is not this asset's
  }

  /** Room for a model file, or for its first part. */
  beginModel(bytes) {
    this.#dropModel();
    this.file = this.wasm.alloc(bytes);
    this.fileBytes = bytes;
  }
  writeModel(chunk, offset) {
    this.wasm.u8.set(chunk, this.file + offset);
  }
  fileView(from, to) {
    return this.wasm.u8.subarray(this.file + from, this.file + to);
  }
  /** So many bytes are there. Returns the deepest layer that can answer, or -1. */
  extendModel(available) {
    const { wasm } = this;
    if (!this.model) {
      const at = wasm.x.model_open(this.file, available);
      if (again(at) && available < this.fileBytes) return -1;
      this.model = wasm.check(at, 'model');
      this.generation++;
    } else {
      const code = wasm.x.model_extend(this.model, available);
      if (again(code) && available < this.fileBytes) return this.ready;
      wasm.check(code, 'model');
    }
    const ready = wasm.u32[(this.model + 48) >> 2];
    if (ready !== NONE && this.ready < 0 && this.matcher) new Pipe(this, { table: false }).close(); // pin
    return (this.ready = ready === NONE ? -1 : ready);
  }
  get info() {
    const { wasm, model } = this;
    const u = wasm.u32.subarray(model >> 2, (model + 56) >> 2);
    return { id: wasm.text(model), prefix: wasm.text(model + 8), content: wasm.hex64(model + 16), dim: u[6], layers: u[7], pooling: u[13] };
  }
  /** The model's whitening of an exit, for tables without a fit; or null. */
  whitening(layer) {
    const { wasm } = this;
    const { dim } = this.info;
    const rows = wasm.check(wasm.x.model_whitening(this.model, layer, 0, 0), 'model');
    if (!rows) return null;
    const at = wasm.alloc((rows + 1) * dim * 4);
    try {
      wasm.check(wasm.x.model_whitening(this.model, layer, at, at + dim * 4), 'model');
      const mean = at >> 2, map = mean + dim;
      return { rows, mean: wasm.f32.slice(mean, map), map: wasm.f32.slice(map, map + rows * dim) };
    } finally {
      wasm.free(at);
    }
  }
  #dropModel() {
    for (const pipe of this.pipes) pipe.close();
    this.wasm.x.model_close(this.model);
    this.wasm.free(this.file);
    this.model = this.file = 0;
    this.ready = -1;
    this.generation++;
  }

  /** Vectors of one text after each of these ascending layers, without an asset. */
  vectors(text, layers) {
    const { wasm } = this;
    this.encoder ||= wasm.check(wasm.x.encoder_open(this.model));
    const { dim } = this.info;
    return wasm.withText(text, (at, bytes) => {
      const out = wasm.alloc(dim * 4);
      try {
        wasm.check(wasm.x.encoder_start(this.encoder, at, bytes));
        return layers.map((layer) => {
          wasm.check(wasm.x.encoder_advance(this.encoder, layer, out), `layer ${layer}`);
          return wasm.f32.slice(out >> 2, (out >> 2) + dim);
        });
      } finally {
        wasm.free(out);
      }
    });
  }

  dispose() {
    if (this.encoder) this.wasm.x.encoder_close(this.encoder);
    this.encoder = 0;
    this.#dropModel();
    this.wasm.x.table_close(this.table);
    this.table = 0;
    for (const at of this.blocks.splice(0)) this.wasm.free(at);
  }
}

/** One reading of one text at a time. Two of them can be under way at once: a preview and a route in slices. */
export class Pipe {
  constructor(engine, { model = true, table = true } = {}) {
    this.engine = engine;
    this.use = { model, table };
    engine.pipes.add(this);
    this.#open();
  }
  #open() {
    const { engine, use } = this;
    const { wasm } = engine;
    this.#shut();
    const model = use.model && engine.model, table = use.table && engine.table;
    this.generation = engine.generation;
    if (model || table)
      this.session = wasm.check(wasm.x.pipeline_open(engine.matcher.session, model || 0, table || 0), 'model and route asset');
  }
  #shut() {
    const { wasm } = this.engine;
    wasm.free(this.text);
    this.text = 0;
    if (this.session) wasm.x.pipeline_close(this.session);
    this.session = 0;
  }
  close() {
    this.#shut();
    this.engine.pipes.delete(this);
    this.closed = true;
  }

  /** Exits that can answer now, in the asset's order. */
  usable() {
    const { engine } = this;
    if (this.generation !== engine.generation && !this.text) this.#open();
    if (!this.session) return [];
    return engine.matcher.exits.filter(({ exit }) => engine.wasm.x.pipeline_usable(this.session, exit) > 0);
  }
  start(text) {
    const { wasm } = this.engine;
    this.end();
    if (this.generation !== this.engine.generation) this.#open();
    this.started = performance.now();
    const { at, bytes } = wasm.putText(text);
    this.text = at;
    wasm.check(wasm.x.pipeline_start(this.session, at, bytes));
  }
  answer(exit) {
    const { wasm, matcher } = this.engine;
    wasm.check(wasm.x.pipeline_answer(this.session, exit, WHY_COUNT));
    return matcher.decision(this.started);
  }
  read(layer) {
    const { wasm } = this.engine;
    return wasm.check(wasm.x.pipeline_read(this.session, layer));
  }
  /** A step of that: true when there are more. */
  step(layer) {
    const { wasm } = this.engine;
    return wasm.check(wasm.x.pipeline_step(this.session, layer)) > 0;
  }
  /** Of the last answer; null for a blank text. */
  vector(exit) {
    const { wasm, matcher } = this.engine;
    const at = wasm.x.pipeline_vector(this.session);
    return at ? wasm.f32.slice(at >> 2, (at >> 2) + matcher.exits[exit].dim) : null;
  }
  end() {
    this.engine.wasm.free(this.text);
    this.text = 0;
  }
}
