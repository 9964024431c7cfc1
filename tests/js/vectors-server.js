// An OpenAI-compatible embeddings server for tests. A text's vector follows from its words alone: words of the form
// route:NAME pull towards a direction of that name, source:NAME towards another, and the rest is noise from a hash.
import { createServer } from 'node:http';

function generator(text) {
  let state = 2166136261;
  for (const c of text) state = Math.imul(state ^ c.codePointAt(0), 16777619) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 4294967296) * 2 - 1;
  };
}

export function vectorOf(text, dim, pull = { route: 1, source: 1 }) {
  const random = generator(text);
  const vector = Array.from({ length: dim }, random);
  for (const [, kind, name] of text.matchAll(/(route|source):(\S+)/g)) {
    const direction = generator(`${kind}:${name}`);
    for (let i = 0; i < dim; i++) vector[i] += (pull[kind] ?? 0) * direction();
  }
  return vector;
}

// options: dim, pull, failAfter (requests that are answered; then 400), delay (ms)
export async function serveVectors(options = {}) {
  const state = { requests: 0, texts: 0, ...options };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', async () => {
      const { input, model, dimensions } = JSON.parse(body);
      state.requests++;
      if (state.delay) await new Promise((done) => setTimeout(done, state.delay));
      if (state.failAfter !== undefined && state.requests > state.failAfter) {
        response.writeHead(400, { 'content-type': 'application/json' });
        return response.end('{"error": {"message": "stopped by the test"}}');
      }
      const texts = Array.isArray(input) ? input : [input];
      state.texts += texts.length;
      const dim = dimensions ?? state.dim ?? 64;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          object: 'list',
          model,
          data: texts.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text, dim, state.pull) })),
        }),
      );
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  state.url = `http://127.0.0.1:${server.address().port}/v1`;
  state.close = () => new Promise((done) => (server.closeAllConnections?.(), server.close(done)));
  return state;
}
