#!/usr/bin/env node
// A published model as an OpenAI-compatible embeddings server: node serve.js FOLDER/NAME [PORT]
// Prints "listening on http://127.0.0.1:PORT/v1" and serves until it is stopped.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import ort from 'onnxruntime-node';

// As the models' own cards have it.
const known = {
  'all-minilm-l6-v2': { pooling: 'mean', maxTokens: 256 },
  'bge-small-en-v15': { pooling: 'first', maxTokens: 512 },
  'e5-small-v2': { pooling: 'mean', maxTokens: 512 },
};

const [folder, port = '0'] = process.argv.slice(2);
if (!known[basename(folder ?? '')]) {
  console.error(`usage: node serve.js FOLDER/NAME [PORT], NAME one of ${Object.keys(known).join(', ')}`);
  process.exit(2);
}
const { pooling, maxTokens } = known[basename(folder)];
const tokenizer = new Tokenizer(JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')), {});
const threads = Number(process.env.THREADS ?? 0); // 0: as many as there are cores
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

let running = Promise.resolve(); // one batch at a time: the session uses all threads itself
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    running = running.then(async () => {
      const answer = (status, body) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      };
      try {
        const { input, model } = JSON.parse(Buffer.concat(parts).toString());
        const vectors = await embed([].concat(input));
        answer(200, { object: 'list', model, data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })) });
      } catch (error) {
        answer(400, { error: { message: String(error) } });
      }
    });
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}/v1`));
