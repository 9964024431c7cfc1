// The encoder against onnxruntime-web, layer for layer and token for token, one thread. In Node and in a page.
import { reason, summary, takeTurns } from './measure.mjs';
import { Engine } from '../../web/engine.js';
import { Wasm } from '../../web/wasm.js';

const PEER = 'build/downloads/e5-small-v2-q/e5-small-v2-q.onnx', PEER_TOKENIZER = 'build/downloads/e5-small-v2-q/e5-small-v2-q-tokenizer.json';
const WORDS = 'please write a short note about the garden and why my server is slow today with two apples'.split(' ');

/** onnxruntime-web on one thread, on e5-small-v2 int8 or another model: tokens → a run of all layers. */
export async function onnx(env, path = PEER, what = 'e5-small-v2 int8') {
  const { default: ort } = await import(new URL('./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs', import.meta.url).href);
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await env.bytes(path), { executionProviders: ['wasm'], graphOptimizationLevel: 'all' });
  const tensor = (data) => new ort.Tensor('int64', data, [1, data.length]);
  return {
    engine: 'onnxruntime-web', version: ort.env.versions.web, settings: `${what}, wasm provider, numThreads 1`,
    input: (ids) => ({
      input_ids: tensor(BigInt64Array.from(ids, BigInt)),
      attention_mask: tensor(new BigInt64Array(ids.length).fill(1n)),
      token_type_ids: tensor(new BigInt64Array(ids.length)),
    }),
    async run(input) {
      for (const t of Object.values(await session.run(input))) t.dispose();
    },
    release: () => session.release(),
  };
}

/** Our encoder with a model file: text → vector after a layer, the tokenizer included. */
export async function ours(env, variant, model) {
  const wasm = await Wasm.open({ wasm: env.wasm, variant, full: true });
  const engine = new Engine(wasm, null);
  const file = await env.bytes(model);
  engine.beginModel(file.length);
  engine.writeModel(file, 0);
  const layers = engine.extendModel(file.length);
  const encoder = wasm.check(wasm.x.encoder_open(engine.model));
  const out = wasm.alloc(engine.info.dim * 4);
  const texts = new Map();
  const put = (text) => {
    if (!texts.has(text)) texts.set(text, wasm.putText(text));
    return texts.get(text);
  };
  return {
    layers, file: file.length,
    pieces(text) {
      const { at, bytes } = put(text);
      return wasm.check(wasm.x.encoder_start(encoder, at, bytes));
    },
    run(text, layer) {
      const { at, bytes } = put(text);
      wasm.x.encoder_start(encoder, at, bytes);
      if (wasm.x.encoder_advance(encoder, layer, out) < 0) throw new Error(`layer ${layer} failed`);
    },
    textOf(pieces) {
      for (let words = 1; ; words++) {
        const text = Array.from({ length: words }, (_, i) => WORDS[i % WORDS.length]).join(' ');
        if (this.pieces(text) >= pieces) return text;
      }
    },
    bytes: () => wasm.x.memory.buffer.byteLength,
  };
}

export async function encoding(env, { tokens, ms, quick }) {
  let peer = null;
  env.say('onnxruntime-web, load');
  try {
    peer = await onnx(env);
  } catch (error) {
    env.record({ bench: 'encode', engine: 'onnxruntime-web', runtime: env.runtime, variant: 'simd128', skipped: reason(error) });
  }
  const encoders = [];
  for (const variant of env.variants) if (!quick || variant !== 'scalar') encoders.push({ variant, whole: await ours(env, variant, 'build/model/parity.srm') });
  const shipped = { variant: env.variants[0], encoder: await ours(env, env.variants[0], 'build/model/smartrouter-model.srm') };
  env.record({ bench: 'memory', engine: 'smartrouter', runtime: env.runtime, variant: shipped.variant, what: 'encoder with the shipped model', bytes: shipped.encoder.bytes() });
  for (const n of tokens) {
    env.say(`encode ${n} tokens`);
    const base = { bench: 'encode', runtime: env.runtime, tokens: n, dim: 384 };
    const contenders = [];
    if (peer) {
      const input = peer.input(Array.from({ length: n }, (_, i) => (i === 0 ? 101 : i === n - 1 ? 102 : 2000 + ((i * 37) % 9000))));
      const { engine, version, settings } = peer;
      contenders.push({ ...base, engine, version, settings, variant: 'simd128', layers: 12, run: () => peer.run(input) });
    }
    for (const { variant, whole } of encoders) {
      if (variant === 'scalar' && n > 32) continue; // only old browsers run it; two lengths tell
      const text = whole.textOf(n);
      const { layers } = whole;
      contenders.push({ ...base, engine: 'smartrouter', variant, settings: 'uncut model, tokenizer included', layers, run: () => whole.run(text, layers) });
      if (variant === env.variants[0]) for (const layer of [1, 4])
        contenders.push({ ...base, engine: 'smartrouter', variant, settings: 'uncut model, tokenizer included', layers: layer, run: () => whole.run(text, layer) });
    }
    const { encoder, variant } = shipped;
    const text = encoder.textOf(n);
    contenders.push({ ...base, engine: 'smartrouter', variant, settings: 'shipped model, tokenizer included', layers: encoder.layers, run: () => encoder.run(text, encoder.layers) });
    const samples = await takeTurns(contenders, { ms, least: quick ? 3 : 5, leastMs: 1 });
    contenders.forEach(({ run, ...record }, i) => env.record({ ...record, ...summary(samples[i]) }));
  }
  // what a longer prompt costs
  for (const words of quick ? [4, 20, 100, 4000] : [4, 20, 100, 400, 1000, 4000]) {
    const text = Array.from({ length: words }, (_, i) => WORDS[i % WORDS.length]).join(' ');
    const pieces = shipped.encoder.pieces(text);
    const [samples] = await takeTurns([{ run: () => shipped.encoder.run(text, shipped.encoder.layers) }], { ms: ms / 2, least: 3, leastMs: 1 });
    env.record({ bench: 'prompt length', engine: 'smartrouter', runtime: env.runtime, variant: shipped.variant, words, tokens: pieces, layers: shipped.encoder.layers, ...summary(samples) });
  }
  peer?.release();
}

/** BERT's tokenizer: lower case, accents off, split at spaces and punctuation, longest pieces first. */
export async function wordPiece(env) {
  const { vocab } = JSON.parse(new TextDecoder().decode(await env.bytes(PEER_TOKENIZER))).model;
  const ids = new Map(Object.entries(vocab));
  return (text) => {
    const out = [101];
    const plain = text.toLowerCase().normalize('NFD').replace(/\p{Mn}/gu, '');
    for (const [word] of plain.matchAll(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu)) {
      const mark = out.length;
      for (let from = 0; from < word.length; ) {
        let to = word.length, id;
        for (; to > from && (id = ids.get((from ? '##' : '') + word.slice(from, to))) === undefined; to--);
        if (to === from) {
          out.length = mark;
          out.push(100);
          break;
        }
        out.push(id);
        from = to;
      }
    }
    return out.slice(0, 511).concat(102);
  };
}
