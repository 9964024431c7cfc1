// Route files to route assets in the page, by the same C writer as `smartrouter compile`, so the bytes are the same.
import { downloadBytes } from './download.js';
import { Wasm, fail } from './wasm.js';
import { checkRoutes } from './routes-file.js';

const CHUNK = 16; // texts between two looks at the signal and the progress
const USUAL_LAYERS = [1, 4, 9];
const ENCODER = 0, TABLE = 1, EXTERNAL = 2, POOL_NONE = 3;

export async function compile(routes, embedder, options = {}) {
  const { fit, table, rows = 'i8', texts = true, plane = true, wasm: where, variant, signal } = options;
  if (embedder === null ? !fit || !table : typeof embedder !== 'function')
    throw new TypeError('compile() wants an embedder, or null with a fit and its piece table');
  if (rows !== 'i8' && rows !== 'f32') throw new TypeError("rows must be 'i8' or 'f32'");
  const file = checkRoutes(routes);
  signal?.throwIfAborted();
  const wasm = await Wasm.open({ wasm: where, variant, full: true });
  const job = new Job(wasm, file);
  if (fit) await job.openFit(fit, signal);
  if (table) await job.openTable(table, signal);
  const ours = embedder === null || embedder.layers !== undefined;
  if (ours) await job.planEncoder(embedder, options);
  job.applySource();
  if (ours) await job.embedEncoder(embedder, options);
  else await job.embedExternal(embedder, options);
  return job.finish(rows === 'f32', plane && file.texts.length > 2, texts);
}

/** The instance lives for one compile, so nothing in it is freed one by one. */
class Job {
  constructor(wasm, file) {
    Object.assign(this, { wasm, file, exits: [] });
    const { x } = wasm;
    this.writer = wasm.check(x.writer_open(file.routes.length, file.texts.length, file.fallback));
    const name = this.#string(file.name);
    x.writer_name(this.writer, ...name);
    const texts = file.texts.map((t) => this.#string(t));
    const records = file.routes.map(({ id, label, description, target, count, negatives }) =>
      [id, label, description, target].flatMap((t) => this.#string(t)).concat(count, negatives));
    const routesAt = x.writer_routes(this.writer) >> 2, textsAt = x.writer_texts(this.writer) >> 2;
    records.forEach((record, i) => wasm.u32.set(record, routesAt + 10 * i));
    texts.forEach((record, i) => wasm.u32.set(record, textsAt + 2 * i));
  }
  #string(text) {
    if (!text) return [0, 0];
    const { at, bytes } = this.wasm.putText(text);
    return [at, bytes];
  }

  async openFit(fit, signal) {
    const { bytes } = await downloadBytes(fit, { signal, what: 'fit' });
    this.fit = this.wasm.check(this.wasm.x.fit_open(this.wasm.put(bytes), bytes.length), 'fit');
  }
  async openTable(table, signal) {
    const { bytes } = await downloadBytes(table, { signal, what: 'piece table' });
    this.table = this.wasm.check(this.wasm.x.table_open(this.wasm.put(bytes), bytes.length), 'piece table');
  }

  /** The fit's exits when there is a fit, else the layers asked for, each with the model's whitening where it has one. */
  async planEncoder(embedder, { layers = this.file.layers, map = true }) {
    const { wasm, fit } = this;
    if (fit) {
      const count = wasm.x.router_exit_count(fit);
      for (let i = 0; i < count; i++) {
        wasm.check(wasm.x.router_exit(fit, i));
        const info = (fit + 2800) >> 2; // src/wasm/exports.h
        const [kind, , dim] = wasm.u32.subarray(info, info + 3);
        const mask = wasm.u32[info + 19];
        const content = wasm.hex64(fit + 2800 + 56);
        if (kind === TABLE ? !this.table : !embedder) continue; // a first answer less, or it alone
        const made = kind === TABLE ? wasm.hex64(this.table) : embedder.modelContent;
        if (made !== content)
          throw fail('SR_E_MODEL', `the fit was made for the ${kind === TABLE ? 'table' : 'model'} ${content}, this one is ${made}`);
        this.exits.push({ at: wasm.check(wasm.x.writer_take(this.writer, fit, i), 'fit'), kind, dim, layers: layersOf(mask) });
      }
      if (!this.exits.length) throw fail('SR_E_MODEL', 'the fit has no exit for a piece table');
      return;
    }
    for (const layer of layers ?? new Set(USUAL_LAYERS.map((n) => Math.min(n, embedder.layers)))) {
      const content = BigInt(`0x${embedder.modelContent}`);
      const at = this.#addExit(ENCODER, layer, embedder.dimensions, embedder.pooling, content, embedder.modelId, embedder.prefix);
      const whitening = map && (await embedder.whitening?.(layer));
      if (whitening) wasm.x.writer_whitening(this.writer, at, whitening.rows, this.#floats(whitening.mean), this.#floats(whitening.map));
      this.exits.push({ at, kind: ENCODER, dim: embedder.dimensions, layers: [layer] });
    }
  }
  #addExit(kind, layer, dim, pooling, content, id, prefix) {
    const halves = [Number(content & 0xffffffffn), Number(content >> 32n)];
    const { wasm, writer } = this;
    return wasm.check(wasm.x.writer_exit(writer, kind, layer, dim, pooling, ...halves, ...this.#string(id), ...this.#string(prefix)));
  }
  #floats(values) {
    const at = this.wasm.alloc(values.length * 4);
    this.wasm.f32.set(values, at >> 2);
    return at;
  }

  /** What the route file says itself goes before what the fit learned. */
  applySource() {
    const { wasm, writer, file, exits, fit } = this;
    for (const { at } of exits) {
      if (file.aggregation && !fit) wasm.x.writer_aggregation(writer, at, file.aggregation);
      wasm.x.writer_low_margin(writer, at, file.uncertain ? 1 : 0);
      if (!fit && !file.routes.some((r) => r.threshold !== undefined || r.margin !== undefined)) continue;
      const params = wasm.x.writer_params(writer, at) >> 2;
      file.routes.forEach(({ threshold, margin }, i) => {
        if (threshold !== undefined) wasm.f32[params + 4 * i] = threshold;
        if (margin !== undefined) wasm.f32[params + 4 * i + 1] = margin;
      });
    }
  }

  async #inChunks({ signal, onProgress }, work) {
    const { texts } = this.file;
    for (let from = 0; from < texts.length; from += CHUNK) {
      signal?.throwIfAborted();
      await work(texts.slice(from, from + CHUNK), from);
      onProgress?.(Math.min(from + CHUNK, texts.length), texts.length);
    }
  }
  #room(exit) {
    exit.vectors = this.wasm.alloc(this.file.texts.length * exit.dim * 4);
    this.wasm.x.writer_vectors(this.writer, exit.at, exit.vectors);
  }
  #place(exit, i, vector, text) {
    if (vector?.length !== exit.dim) throw fail('SR_E_DIM', `utterance “${text}”: ${vector?.length} dimensions, not ${exit.dim}`);
    this.wasm.f32.set(vector, (exit.vectors >> 2) + i * exit.dim);
  }

  async embedEncoder(embedder, options) {
    const encoders = this.exits.filter((e) => e.kind === ENCODER);
    this.exits.forEach((e) => this.#room(e));
    for (const exit of this.exits) if (exit.kind === TABLE) this.#embedTable(exit);
    const layers = [...new Set(encoders.flatMap((e) => e.layers))].sort((a, b) => a - b);
    if (!layers.length) return;
    const at = new Map(layers.map((layer, i) => [layer, i]));
    const vectorOf = (exit, perLayer) => joined(exit.layers.map((layer) => perLayer[at.get(layer)]));
    await this.#inChunks(options, async (texts, from) => {
      const vectors = await embedder.exitsOfMany(texts, layers, options);
      vectors.forEach((perLayer, i) => {
        for (const exit of encoders) this.#place(exit, from + i, vectorOf(exit, perLayer), texts[i]);
      });
    });
  }
  #embedTable(exit) {
    const { wasm, table } = this;
    const bytes = wasm.x.table_work_bytes(table);
    const work = wasm.alloc(bytes);
    wasm.u8.fill(0, exit.vectors, exit.vectors + this.file.texts.length * exit.dim * 4);
    this.file.texts.forEach((text, i) =>
      wasm.withText(text, (at, length) => {
        const code = wasm.x.table_embed(table, at, length, work, bytes, exit.vectors + i * exit.dim * 4);
        if (code !== -10) wasm.check(code, `utterance “${text}”`); // SR_E_ZERO: the writer says so, with the utterance
      }));
  }

  async embedExternal(embedder, options) {
    const { file } = this;
    const id = embedder.modelId ?? file.model;
    if (!id) throw new TypeError('which model? give the embedder a modelId, or the route file an "embedder": {"model": …}');
    const prefix = embedder.prefix ?? file.prefix;
    const many = embedder.many ?? ((texts, more) => Promise.all(texts.map((t) => embedder(t, more))));
    let exit;
    await this.#inChunks(options, async (texts, from) => {
      const vectors = await many(texts, { signal: options.signal });
      if (!exit) {
        const dim = file.dimensions ?? vectors[0]?.length;
        exit = { at: this.#addExit(EXTERNAL, 0, dim, POOL_NONE, 0n, id, prefix), dim };
        this.exits.push(exit);
        this.#room(exit);
      }
      texts.forEach((text, i) => this.#place(exit, from + i, vectors[i], text));
    });
    this.applySource();
  }

  finish(f32, plane, texts) {
    const { wasm, writer, file } = this;
    const at = wasm.x.writer_finish(writer, f32 ? 1 : 0, plane ? 1 : 0, texts ? 1 : 0);
    const [bad, bytes] = wasm.u32.subarray(writer >> 2, (writer >> 2) + 2);
    wasm.check(at, file.texts[bad] === undefined ? 'compile' : `utterance “${file.texts[bad]}”`);
    return wasm.u8.slice(at, at + bytes);
  }
}

/** The layers whose pooled states make an exit's vector: the bits of its mask, lowest first. */
function layersOf(mask) {
  return Array.from({ length: 32 }, (_, layer) => layer).filter((layer) => (mask >>> layer) & 1);
}
function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
