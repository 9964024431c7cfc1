// A routed answer, as a caller gets it: anytime routing over real prompts against one run of the peer; previews while typing.
import { onnx, wordPiece } from './encoding.mjs';
import { reason, round, summary, takeTurns } from './measure.mjs';
import { SmartRouter } from '../../web/smartrouter.js';

const TWENTY = 'please write a short and sad poem about the autumn rain that falls upon the old harbour of my home town';
const ASSET = 'build/routes/five-routes.srr', TABLE = 'build/routes/five-routes.srt', MODEL = 'build/model/smartrouter-model.srm';

const mean = (values) => round(values.reduce((sum, v) => sum + v, 0) / values.length);

export async function routing(env, { prompts, source, variant = env.variants[0], ms }) {
  const [asset, model] = [await env.bytes(ASSET), await env.bytes(MODEL)];
  const table = await env.bytes(TABLE).catch(() => null);
  const router = await SmartRouter.load({ asset, model, ...(table && { table }), wasm: env.wasm, variant, previewLayer: 1 });
  await router.load();
  const base = { runtime: env.runtime, variant };
  let peer = null, tokenize;
  try {
    [peer, tokenize] = [await onnx(env), await wordPiece(env)];
  } catch (error) {
    env.record({ bench: 'route', engine: 'onnxruntime-web', runtime: env.runtime, variant: 'simd128', skipped: reason(error) });
  }
  const time = async (work) => {
    const start = performance.now();
    const result = await work();
    return [(performance.now() - start) * 1000, result];
  };
  for (const text of prompts.slice(0, 3)) {
    await router.route(text);
    if (peer) await peer.run(peer.input(tokenize(`query: ${text}`)));
  }
  const all = { ours: [], deep: [], peer: [] };
  const exits = new Map(), pieces = [], tokens = [];
  for (const [i, text] of prompts.entries()) {
    if (i % 50 === 0) env.say(`route ${i} of ${prompts.length}`);
    const [us, decision] = await time(() => router.route(text));
    all.ours.push(us);
    exits.set(decision.exit, (exits.get(decision.exit) ?? 0) + 1);
    if (decision.pieces) pieces.push(decision.pieces);
    if (!peer) continue;
    const ids = tokenize(`query: ${text}`);
    const input = peer.input(ids);
    tokens.push(ids.length);
    all.peer.push((await time(() => peer.run(input)))[0]);
  }
  const record = (more, samples) => env.record({ bench: 'route', runtime: env.runtime, prompts: prompts.length, source: `first ${prompts.length} of ${source}`, ...more, ...summary(samples), mean_us: mean(samples) });
  if (peer) record({ engine: peer.engine, version: peer.version, settings: `${peer.settings}; 12 layers, tokenizer not counted`, variant: 'simd128', tokens: Math.round(mean(tokens)), layers: 12 }, all.peer);
  const stops = router.exits.map((e) => ({ exit: e.exit, embedder: e.embedder, layer: e.layer, share: round((exits.get(e.exit) ?? 0) / prompts.length) }));
  record({ engine: 'smartrouter', settings: 'route(), anytime, in a worker', variant, tokens: pieces.length ? Math.round(mean(pieces)) : 0, stops }, all.ours);

  // previews: another letter each time, so that nothing could be remembered
  const types = (r) => {
    let n = 0;
    return () => r.preview(TWENTY + String.fromCharCode(97 + (n++ % 26)));
  };
  const seen = router.preview(TWENTY);
  if (seen) {
    const [samples] = await takeTurns([{ run: types(router) }], { ms, leastMs: 1 });
    env.record({ bench: 'preview', engine: 'smartrouter', ...base, layers: seen.layer, words: 20, settings: `preview() after layer ${seen.layer}`, ...summary(samples) });
  } else env.record({ bench: 'preview', engine: 'smartrouter', ...base, words: 20, skipped: 'this asset has no early exit' });
  router.dispose();
  peer?.release();
  if (!table) return env.record({ bench: 'preview', engine: 'smartrouter table', ...base, words: 20, skipped: 'no piece table (five-routes.srt) has been built' });
  try {
    const small = await SmartRouter.load({ asset, table, wasm: env.wasm, variant });
    const [samples] = await takeTurns([{ run: types(small) }], { ms, leastMs: 1 });
    env.record({ bench: 'preview', engine: 'smartrouter table', ...base, words: 20, settings: 'preview() from the piece table', ...summary(samples) });
    small.dispose();
  } catch (error) {
    env.record({ bench: 'preview', engine: 'smartrouter table', ...base, words: 20, skipped: reason(error) });
  }

}
