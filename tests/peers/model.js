// A published model by ONNX Runtime: model(FOLDER) gives { embed(texts) }, unit vectors. FOLDER holds model.onnx and tokenizer.json.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import ort from 'onnxruntime-node';

// As the models' own cards have it.
export const known = {
  'all-MiniLM-L6-v2': { pooling: 'mean', maxTokens: 256 },
  'bge-small-en-v1.5': { pooling: 'first', maxTokens: 512 },
  'e5-small-v2': { pooling: 'mean', maxTokens: 512 },
};

export async function model(folder, threads = 0) {
  const { pooling, maxTokens } = known[basename(folder)];
  const tokenizer = new Tokenizer(JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')), {});
  const session = await ort.InferenceSession.create(join(folder, 'model.onnx'), { intraOpNumThreads: threads, logSeverityLevel: 3 });

  function ids(text) {
    const all = tokenizer.encode(text).ids;
    return all.length <= maxTokens ? all : [...all.slice(0, maxTokens - 1), all.at(-1)];
  }

  // texts of about one length go together, so little is spent on padding
  async function embed(texts) {
    const inputs = texts.map((text, at) => ({ at, ids: ids(text) })).sort((a, b) => a.ids.length - b.ids.length);
    const out = new Array(texts.length);
    for (let first = 0; first < inputs.length; first += 16) {
      const batch = inputs.slice(first, first + 16);
      const width = batch.at(-1).ids.length;
      const size = batch.length * width;
      const tokens = new BigInt64Array(size);
      const mask = new BigInt64Array(size);
      batch.forEach((one, row) =>
        one.ids.forEach((id, i) => {
          tokens[row * width + i] = BigInt(id);
          mask[row * width + i] = 1n;
        }),
      );
      const shape = [batch.length, width];
      const feeds = { input_ids: new ort.Tensor('int64', tokens, shape), attention_mask: new ort.Tensor('int64', mask, shape) };
      if (session.inputNames.includes('token_type_ids')) feeds.token_type_ids = new ort.Tensor('int64', new BigInt64Array(size), shape);
      const { data, dims } = (await session.run(feeds))[session.outputNames[0]];
      const dim = dims.at(-1);
      batch.forEach((one, row) => {
        const vector = new Float64Array(dim);
        const count = pooling === 'first' ? 1 : one.ids.length;
        for (let i = 0; i < count; i++) for (let d = 0; d < dim; d++) vector[d] += data[(row * width + i) * dim + d];
        const length = Math.hypot(...vector) || 1;
        out[one.at] = Array.from(vector, (v) => Number((v / length).toPrecision(7)));
      });
    }
    return out;
  }
  return { embed };
}
