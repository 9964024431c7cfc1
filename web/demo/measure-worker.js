// The benchmark. Each number is the median of SAMPLES samples, with the quartiles; a sample repeats the work until it has
// lasted long enough for the clock.
import './policy.js';
import { SmartRouter } from '../smartrouter.js';
import { encoder } from '../embedders/encoder.js';

const SAMPLES = 21, LEAST_MS = 4;
const DIM = 384, ROUTES = 5, TOP = 5;
const SIZES = [100, 1000, 10000];
const TEXTS = [
  'Why does my loop skip every second element of the list?',
  `We run a small bakery and would like to tell our neighbours that from Monday on we open at six in the morning. ${'Please write three short notices for the window, one sober, one cheerful and one in rhyme, and keep each under forty words. '.repeat(3)}`,
];
const VARIANTS = ['scalar', 'simd128', 'relaxed'];

onmessage = ({ data }) => run(data).catch((error) => postMessage({ error: `${error.code ? `${error.code}: ` : ''}${error.message}` }));

async function run({ model }) {
  const best = VARIANTS.indexOf(SmartRouter.bestVariant());
  const variants = VARIANTS.slice(0, best + 1);
  const steps = SIZES.length * (1 + variants.length) + (model ? 2 + TEXTS.length * (variants.length + 1) : 0);
  let step = 0;
  const tell = (doing) => postMessage({ progress: step++ / steps, doing });
  const cell = (row, column, times) => postMessage({ cell: { row, column, ...times } });
  const next = random(42);
  const vector = () => Float32Array.from({ length: DIM }, () => next() * 2 - 1);

  for (const size of SIZES) {
    tell('match');
    const rows = Array.from({ length: size }, vector);
    const query = vector();
    const asset = await compiled(rows);
    const row = `match.${size}`;
    cell(row, 'js', await sample(plainMatch(rows, query)));
    for (const variant of variants) {
      tell('match');
      const router = await SmartRouter.load({ asset: asset.slice(), variant });
      cell(row, variant, await sample(() => router.match(query, 0)));
      router.dispose();
    }
  }
  if (model) await read(model, variants, tell, cell);
  postMessage({ progress: 1, doing: 'match' });
  postMessage({ done: { agent: navigator.userAgent } });
}

/** An asset of made-up vectors: utterance i has the text i. */
async function compiled(rows) {
  const each = rows.length / ROUTES;
  const routes = Array.from({ length: ROUTES }, (_, r) => ({ id: `r${r}`, utterances: Array.from({ length: each }, (_, i) => String(r * each + i)) }));
  const embed = Object.assign(async (text) => rows[text], { modelId: 'random' });
  return SmartRouter.compile({ name: 'measure', fallback: 'r0', routes }, embed, { plane: false });
}

/** What the matcher does, in plain JavaScript: all dots, the mean of each route's best five, the nearest five. */
function plainMatch(rows, query) {
  const flat = new Float32Array(rows.length * DIM);
  rows.forEach((row, i) => {
    const length = Math.hypot(...row);
    row.forEach((v, d) => (flat[i * DIM + d] = v / length));
  });
  const each = rows.length / ROUTES;
  const dots = new Float32Array(rows.length);
  return () => {
    let length = 0;
    for (let d = 0; d < DIM; d++) length += query[d] * query[d];
    length = Math.sqrt(length);
    for (let i = 0, at = 0; i < rows.length; i++) {
      let a = 0, b = 0, c = 0, e = 0;
      for (const end = at + DIM; at < end; at += 4) (a += flat[at] * query[at - i * DIM]), (b += flat[at + 1] * query[at + 1 - i * DIM]), (c += flat[at + 2] * query[at + 2 - i * DIM]), (e += flat[at + 3] * query[at + 3 - i * DIM]);
      dots[i] = (a + b + c + e) / length;
    }
    const all = [];
    const scores = [];
    for (let r = 0; r < ROUTES; r++) {
      const top = [];
      for (let i = r * each; i < (r + 1) * each; i++) insert(top, i, dots);
      scores.push({ route: r, score: top.reduce((sum, i) => sum + dots[i], 0) / top.length });
      for (const i of top) insert(all, i, dots);
    }
    scores.sort((p, q) => q.score - p.score);
    return { scores, why: all };
  };
}
function insert(top, i, dots) {
  if (top.length === TOP && dots[i] <= dots[top[TOP - 1]]) return;
  let at = top.length < TOP ? top.push(i) - 1 : TOP - 1;
  for (; at && dots[top[at - 1]] < dots[i]; at--) top[at] = top[at - 1];
  top[at] = i;
}

async function read(model, variants, tell, cell) {
  tell('load');
  const names = [];
  for (const [v, variant] of variants.entries()) {
    tell(v ? 'read' : 'load');
    const reader = await encoder({ model, variant, worker: false });
    for (const [i, text] of TEXTS.entries()) {
      if (i) tell('read');
      const layers = reader.layers;
      names[i] ??= `read.${pieces(text)}.${layers}`;
      cell(names[i], variant, await sample(() => reader.exits(text, [layers]), 7));
    }
    const { layers } = reader;
    reader.dispose();
    if (v < variants.length - 1) continue;
    for (const [i, text] of TEXTS.entries()) {
      tell('read');
      const one = await sample(plainLayer(pieces(text)), 5);
      for (const k of Object.keys(one)) one[k] *= layers;
      cell(names[i], 'js', one);
    }
  }
}
/** About as many pieces as the tokenizer makes of it; good enough to size the plain loop. */
const pieces = (text) => Math.round(text.length / 4.3) + 3;

/** The matrix products of one layer of this encoder, and nothing else of it, in plain JavaScript: less than the layer's work. */
function plainLayer(tokens) {
  const wide = 4 * DIM;
  const random_ = (n) => Float32Array.from({ length: n }, () => Math.random() - 0.5);
  const x = random_(tokens * DIM), y = new Float32Array(tokens * wide), square = random_(DIM * DIM), up = random_(DIM * wide), down = random_(DIM * wide);
  const multiply = (input, weights, output, from, to) => {
    for (let i = 0; i < tokens; i++)
      for (let o = 0; o < to; o += 2) {
        let a = 0, b = 0;
        for (let k = 0, p = i * from, w = o * from, u = w + from; k < from; k++, p++, w++, u++) (a += input[p] * weights[w]), (b += input[p] * weights[u]);
        (output[i * to + o] = a), (output[i * to + o + 1] = b);
      }
  };
  return () => {
    for (let n = 0; n < 4; n++) multiply(x, square, y, DIM, DIM);
    multiply(x, up, y, DIM, wide);
    multiply(y, down, x, wide, DIM);
    for (let i = 0; i < x.length; i++) x[i] = (x[i] % 1) || 0;
  };
}

async function sample(work, samples = SAMPLES) {
  const once = async () => {
    const result = work();
    if (result instanceof Promise) await result;
  };
  const isAsync = work() instanceof Promise;
  for (let i = 0; i < 3; i++) await once();
  let repeat = 1;
  for (;;) {
    const took = await time(repeat);
    if (took >= LEAST_MS || repeat > 1e6) break;
    repeat = Math.ceil(repeat * Math.min(20, (1.3 * LEAST_MS) / Math.max(took, 0.02)));
  }
  const times = [];
  for (let i = 0; i < samples; i++) {
    times.push((await time(repeat)) / repeat);
    if (i % 4 === 3) await new Promise((go) => setTimeout(go));
  }
  times.sort((a, b) => a - b);
  const at = (q) => times[Math.round(q * (times.length - 1))];
  return { median: at(0.5), low: at(0.25), high: at(0.75) };

  async function time(n) {
    const start = performance.now();
    if (isAsync) for (let i = 0; i < n; i++) await work();
    else for (let i = 0; i < n; i++) work();
    return performance.now() - start;
  }
}
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}
