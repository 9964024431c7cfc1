// The matcher against plain JavaScript and vector indices, in Node and in a page.
import { peers as webPeers } from './peers.mjs';
import { reason, summary, takeTurns } from './measure.mjs';
import { Matcher } from '../../web/matcher.js';
import { Wasm } from '../../web/wasm.js';

const ROUTES = 5, TOP = 5, WHY = 2096; // src/wasm/exports.h

/** What the matcher does, in plain JavaScript as one would write it with care: all dots, the mean of each route's best five, the
 * nearest five of all. */
export function plainMatch(vectors, rows, dim) {
  const each = rows / ROUTES;
  const dots = new Float32Array(rows);
  return (query) => {
    let length = 0;
    for (let d = 0; d < dim; d++) length += query[d] * query[d];
    length = Math.sqrt(length);
    for (let i = 0, at = 0; i < rows; i++) {
      let a = 0, b = 0, c = 0, e = 0;
      for (let d = 0; d < dim; d += 4, at += 4) {
        a += vectors[at] * query[d];
        b += vectors[at + 1] * query[d + 1];
        c += vectors[at + 2] * query[d + 2];
        e += vectors[at + 3] * query[d + 3];
      }
      dots[i] = (a + b + c + e) / length;
    }
    const nearest = [], scores = [];
    for (let r = 0; r < ROUTES; r++) {
      const top = [];
      for (let i = r * each; i < (r + 1) * each; i++) insert(top, i, dots);
      scores.push({ route: r, score: top.reduce((sum, i) => sum + dots[i], 0) / top.length });
      for (const i of top) insert(nearest, i, dots);
    }
    scores.sort((p, q) => q.score - p.score);
    return nearest;
  };
}
function insert(top, i, dots) {
  if (top.length === TOP && dots[i] <= dots[top[TOP - 1]]) return;
  let at = top.length < TOP ? top.push(i) - 1 : TOP - 1;
  for (; at && dots[top[at - 1]] < dots[i]; at--) top[at] = top[at - 1];
  top[at] = i;
}

/** Our matcher: the WebAssembly call on a query in its memory, and the public call that makes a decision with its reasons. */
async function ours(env, variant, file, queries, dim) {
  const wasm = await Wasm.open({ wasm: env.wasm, variant, full: false });
  const matcher = new Matcher(wasm, await env.bytes(file));
  const at = wasm.alloc(queries.length * dim * 4);
  queries.forEach((q, i) => wasm.f32.set(q, (at >> 2) + i * dim));
  const { x } = wasm;
  let next = 0;
  return {
    call: () => x.router_match(matcher.session, 0, at + (next++ % queries.length) * dim * 4, dim, TOP),
    api: () => matcher.match(queries[next++ % queries.length], 0),
    search(query) {
      matcher.match(query, 0);
      return Array.from({ length: TOP }, (_, i) => wasm.u32[(matcher.session + WHY + 12 * i) >> 2]);
    },
    bytes: () => x.memory.buffer.byteLength,
  };
}

const recall = (search, queries, truth) => {
  let hit = 0;
  queries.forEach((q, i) => {
    const found = search(q, TOP);
    hit += truth[i].filter((row) => found.includes(row)).length;
  });
  return hit / (queries.length * TOP);
};

/** env: { runtime, variants, wasm, bytes(path), record(r), say(text) }. size: { rows, dim, peers: seconds allowed to build, 0: none }. */
export async function matching(env, { rows, dim, buildSeconds, ms }) {
  const stem = `build/bench/${rows}x${dim}`;
  const floats = async (path) => new Float32Array((await env.bytes(path)).slice().buffer);
  const vectors = await floats(`${stem}.f32`);
  const all = await floats(`${stem}.queries`);
  const queries = Array.from({ length: rows > 10000 ? 8 : 32 }, (_, i) => all.slice(i * dim, (i + 1) * dim));
  const plain = plainMatch(vectors, rows, dim);
  const truth = queries.map(plain);
  const base = { bench: 'match', runtime: env.runtime, rows, dim };
  let next = 0;
  const contenders = [{ ...base, engine: 'plain JavaScript', variant: 'f32', settings: 'four sums, typed arrays', recall: 1, run: () => plain(queries[next++ % queries.length]) }];
  for (const variant of env.variants) {
    const i8 = await ours(env, variant, `${stem}.srr`, queries, dim);
    contenders.push({ ...base, engine: 'smartrouter', variant, settings: 'int8 rows', recall: recall(i8.search, queries, truth), run: i8.call });
    if (variant === env.variants[0] && rows <= 1000) contenders.push({ ...base, engine: 'smartrouter match()', variant, settings: 'int8 rows, decision object with five reasons', run: i8.api });
    if (variant === 'scalar') continue;
    const f32 = await ours(env, variant, `${stem}-f32.srr`, queries, dim);
    contenders.push({ ...base, engine: 'smartrouter f32', variant, settings: 'f32 rows', recall: recall(f32.search, queries, truth), run: f32.call });
  }
  for (const peer of buildSeconds ? webPeers : []) {
    const head = { ...base, engine: peer.engine, version: peer.version, settings: peer.settings, variant: 'wasm' };
    env.say(`${peer.engine} ${rows}x${dim}`);
    try {
      const start = performance.now();
      const index = await peer.open({ dim, rows, vectors, bytes: env.bytes, limit: buildSeconds });
      const build_ms = Math.round(performance.now() - start);
      const found = recall(index.search, queries, truth);
      contenders.push({ ...head, build_ms, recall: found, run: () => index.search(queries[next++ % queries.length], TOP), free: index.free });
    } catch (error) {
      env.record({ ...head, skipped: reason(error) });
    }
  }
  env.say(`match ${rows}x${dim}`);
  const samples = await takeTurns(contenders, { ms, leastMs: 2 });
  contenders.forEach(({ run, free, ...record }, i) => {
    env.record({ ...record, ...summary(samples[i]) });
    try {
      free?.();
    } catch {}
  });
}
