// Published models by our engine, against ONNX Runtime on the same model: one thread, milliseconds a text of so many tokens.
import { reason, summary, takeTurns } from './measure.mjs';
import { onnx, ours } from './encoding.mjs';

const fp32 = 'fp32, one thread';
export const models = [
  { model: 'all-MiniLM-L6-v2', layers: 6, onnx: 'build/downloads/onnx/all-MiniLM-L6-v2/model.onnx' },
  { model: 'all-mpnet-base-v2', layers: 12, onnx: null }, // no registry that we may use has an ONNX of it
];
const NONE = 'no ONNX file of it in a package registry';
const lengths = (quick) => (quick ? [16] : [16, 32, 128]);
/** [CLS], everyday pieces, [SEP]: what they are does not matter to the time. */
const ids = (n) => Array.from({ length: n }, (_, i) => (i === 0 ? 101 : i === n - 1 ? 102 : 2000 + ((i * 37) % 9000)));

export async function published(env, { ms, quick }) {
  for (const { model, layers, onnx: path } of models) {
    const base = { bench: 'published', model, runtime: env.runtime, layers };
    const encoders = [];
    try {
      for (const variant of env.variants) if (variant !== 'scalar') encoders.push({ variant, encoder: await ours(env, variant, `build/model/${model}.srm`) });
    } catch (error) {
      env.record({ ...base, engine: 'smartrouter', skipped: reason(error) });
      continue;
    }
    let peer = null;
    const other = { ...base, engine: 'onnxruntime-web', variant: 'simd128' };
    try {
      if (!path) throw new Error(NONE);
      peer = await onnx(env, path, fp32);
    } catch (error) {
      env.record({ ...other, skipped: reason(error) });
    }
    for (const tokens of lengths(quick)) {
      env.say(`${model} ${tokens} tokens`);
      const contenders = encoders.map(({ variant, encoder }) => {
        const text = encoder.textOf(tokens);
        return { ...base, engine: 'smartrouter', variant, tokens, settings: '8 bits, tokenizer included', run: () => encoder.run(text, layers) };
      });
      if (peer) {
        const input = peer.input(ids(tokens));
        contenders.push({ ...other, version: peer.version, tokens, settings: peer.settings, run: () => peer.run(input) });
      }
      const samples = await takeTurns(contenders, { ms, least: quick ? 3 : 5, leastMs: 1 });
      contenders.forEach(({ run, ...record }, i) => env.record({ ...record, ...summary(samples[i]) }));
    }
    peer?.release();
  }
}

/** onnxruntime-node on one thread: tokens → a run of all layers. */
async function onnxNode(path) {
  const { createRequire } = await import('node:module');
  const ort = createRequire(new URL('../peers/package.json', import.meta.url))('onnxruntime-node');
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });
  const tensor = (data) => new ort.Tensor('int64', data, [1, data.length]);
  return {
    version: ort.env.versions.node ?? '',
    input: (list) => ({
      input_ids: tensor(BigInt64Array.from(list, BigInt)),
      attention_mask: tensor(new BigInt64Array(list.length).fill(1n)),
      token_type_ids: tensor(new BigInt64Array(list.length)),
    }),
    run: (input) => session.run(input),
  };
}

/** program(args): our native timings; textOf(model, tokens). */
export async function nativePublished({ record, say }, { ms, quick, program, textOf }) {
  for (const { model, layers, onnx: path } of models) {
    const base = { bench: 'published', model, runtime: 'native', layers };
    const other = { ...base, engine: 'onnxruntime-node', variant: 'its best' };
    let peer = null;
    try {
      if (!path) throw new Error(NONE);
      peer = await onnxNode(path);
    } catch (error) {
      record({ ...other, skipped: reason(error) });
    }
    for (const tokens of lengths(quick)) {
      say(`native ${model} ${tokens} tokens`);
      const own = [], theirs = [];
      try {
        const text = await textOf(`build/model/${model}.srm`, tokens);
        const input = peer?.input(ids(tokens));
        for (let turn = 0; turn < 3; turn++) {
          own.push(...program(['encode', `build/model/${model}.srm`, layers, ms / 3, text]));
          if (peer) theirs.push(...(await takeTurns([{ run: () => peer.run(input) }], { ms: ms / 3, least: 3, leastMs: 1 }))[0]);
        }
      } catch (error) {
        record({ ...base, engine: 'smartrouter', skipped: reason(error) });
        break;
      }
      record({ ...base, engine: 'smartrouter', variant: 'avx2', tokens, settings: '8 bits, tokenizer included', ...summary(own) });
      if (peer) record({ ...other, version: peer.version, tokens, settings: fp32, ...summary(theirs) });
    }
  }
}
