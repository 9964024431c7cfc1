// Published models in our engine, native and in WebAssembly, against the package tokenizers (pieces) and ONNX Runtime (vectors).
// For `make test-models`: it wants what `make models models-exact` built. MPNet, of which there is no ONNX file, has stored vectors
// (tests/golden), from a forward pass that was written apart.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import { model as peer } from './model.js';
import { Engine } from '../../web/engine.js';
import { Wasm } from '../../web/wasm.js';
import { SmartRouter } from '../../web/smartrouter.js';

process.chdir(fileURLToPath(new URL('../../', import.meta.url)));
const config = process.env.SR_CONFIG ?? 'release';
const downloads = process.env.DOWNLOADS ?? 'build/downloads';
const IDS = 2000, VECTORS = 48;

// prompts of all routes and languages, files in turn
const files = readdirSync('routes/corpus', { recursive: true }).filter((f) => f.endsWith('.jsonl')).sort()
  .map((f) => readFileSync(`routes/corpus/${f}`, 'utf8').trim().split('\n').map((line) => JSON.parse(line).text));
const prompts = Array.from({ length: IDS }, (_, i) => files[i % files.length][Math.floor(i / files.length)]);

async function encoder(path, variant) {
  const wasm = await Wasm.open({ wasm: new URL(`../../build/${config}/wasm/`, import.meta.url), variant, full: true });
  const engine = new Engine(wasm, null);
  const file = new Uint8Array(readFileSync(path));
  engine.beginModel(file.length);
  engine.writeModel(file, 0);
  const layers = engine.extendModel(file.length);
  const at = wasm.check(wasm.x.encoder_open(engine.model)), { dim } = engine.info;
  const out = wasm.alloc(dim * 4), room = wasm.alloc(4096 * 4), texts = wasm.alloc(1 << 16);
  const start = (text) => {
    const bytes = new TextEncoder().encode(text);
    wasm.u8.set(bytes, texts);
    return wasm.check(wasm.x.encoder_start(at, texts, bytes.length));
  };
  return {
    ids(text) {
      start(text);
      const n = wasm.check(wasm.x.encoder_pieces(at, room, 4096));
      return Array.from(wasm.u32.subarray(room >> 2, (room >> 2) + n));
    },
    vector(text) {
      start(text);
      wasm.check(wasm.x.encoder_advance(at, layers, out));
      return Float32Array.from(new Float32Array(wasm.x.memory.buffer, out, dim));
    },
  };
}

const native = (path, texts) =>
  execFileSync(`build/${config}/smartrouter`, ['embed', '--model', path], { input: texts.map((text) => `${JSON.stringify({ text })}\n`).join(''), maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'ignore'] })
    .toString().trim().split('\n').map((line) => JSON.parse(line).vector);
const cosine = (a, b) => {
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) (ab += a[i] * b[i]), (aa += a[i] * a[i]), (bb += b[i] * b[i]);
  return ab / Math.sqrt(aa * bb);
};
const golden = (name) => {
  const texts = readFileSync(`tests/golden/${name}-pieces.txt`, 'utf8').trimEnd().split('\n').map((line) => line.split('\t')[1]);
  const all = new Float32Array(new Uint8Array(readFileSync(`tests/golden/${name}-vectors.f32`)).buffer), dim = all.length / texts.length;
  return { texts, vectors: texts.map((_, i) => all.subarray(i * dim, (i + 1) * dim)) };
};

const models = [
  { id: 'all-MiniLM-L6-v2', folder: `${downloads}/onnx/all-MiniLM-L6-v2`, prefix: '' },
  { id: 'bge-small-en-v1.5', folder: `${downloads}/onnx/bge-small-en-v1.5`, prefix: '' },
  { id: 'e5-small-v2', folder: `${downloads}/onnx/e5-small-v2`, prefix: 'query: ' },
  { id: 'all-mpnet-base-v2', folder: `${downloads}/all-mpnet-base-v2`, prefix: '', golden: 'mpnet' },
];
for (const { id, folder, prefix, golden: stored } of models) {
  test(`${id} has the pieces of tokenizers on ${IDS} prompts`, async () => {
    const tokenizer = new Tokenizer(JSON.parse(readFileSync(`${folder}/tokenizer.json`, 'utf8')), {});
    const ours = await encoder(`build/model/${id}.srm`, SmartRouter.bestVariant());
    // a model file numbers its pieces anew: each of ours must stand for one upstream number, always the same, and no two for one
    const upstream = new Map(), used = new Map();
    for (const text of prompts) {
      const want = tokenizer.encode(prefix + text).ids, got = ours.ids(text);
      assert.equal(got.length, want.length, text);
      got.forEach((piece, i) => {
        if (!upstream.has(piece)) upstream.set(piece, want[i]);
        if (!used.has(want[i])) used.set(want[i], piece);
        assert.equal(upstream.get(piece), want[i], text);
        assert.equal(used.get(want[i]), piece, text);
      });
    }
    assert.ok(upstream.size > 1000);
  });
  test(`${id} has the vectors of an independent run, native and in each WebAssembly variant`, async (t) => {
    let texts = prompts.slice(0, VECTORS), want;
    if (stored) ({ texts, vectors: want } = golden(stored));
    else want = await (await peer(folder)).embed(texts.map((text) => prefix + text));
    for (const [end, least] of [['-f32', 0.9999], ['', 0.995]]) {
      const path = `build/model/${id}${end}.srm`, worst = {};
      assert.ok(existsSync(path), `${path}: make models models-exact`);
      const see = (where, vectors) => (worst[where] = Math.min(...vectors.map((v, i) => cosine(v, want[i]))));
      see('native', native(path, texts));
      for (const variant of ['simd128', 'relaxed'].slice(0, SmartRouter.bestVariant() === 'relaxed' ? 2 : 1)) {
        const ours = await encoder(path, variant);
        see(variant, texts.map((text) => ours.vector(text)));
      }
      t.diagnostic(`${path}: worst cosine ${Object.entries(worst).map(([where, v]) => `${where} ${v.toFixed(6)}`).join(', ')}`);
      for (const [where, v] of Object.entries(worst)) assert.ok(v >= least, `${path}, ${where}: ${v}`);
    }
  });
}
