import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { http } from '../../web/embedders/http.js';
import { SmartRouter } from '../../web/smartrouter.js';
import { sampleAsset } from './build-asset.js';
import { failure, variants, wasm } from './setup.js';

describe('http embedder', () => {
  let server, url, seen, answer;
  const vector = (text, dim = 8) => Array.from({ length: dim }, (_, i) => Math.sin(i + text.length));
  const good = (request, response, { model, input }) => {
    response.setHeader('content-type', 'application/json');
    const data = input.map((text, index) => ({ object: 'embedding', index, embedding: vector(text) })).reverse();
    response.end(JSON.stringify({ object: 'list', data, model, usage: {} }));
  };
  before(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen.push({ headers: request.headers, url: request.url, body: JSON.parse(body) });
      answer(request, response, JSON.parse(body), seen.length);
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${server.address().port}/v1`;
  });
  beforeEach(() => ((seen = []), (answer = good)));
  after(() => (server.closeAllConnections(), server.close()));

  const embedder = (options) => http({ url, model: 'test-embedder', timeoutMs: 2000, retries: 0, ...options });

  test('asks as OpenAI clients do, and puts answers in the order of the texts', async () => {
    const e = embedder({ batch: 2, prefix: 'query: ', headers: async () => ({ authorization: 'Bearer secret-key' }) });
    const vectors = await e.many(['a', 'bbb', 'cc']);
    assert.deepEqual(vectors.map((v) => v[0]), ['query: a', 'query: bbb', 'query: cc'].map((t) => Math.fround(vector(t)[0])));
    assert.deepEqual(seen.map((s) => s.body.input.length), [2, 1]);
    assert.equal(seen[0].url, '/v1/embeddings');
    assert.equal(seen[0].body.model, 'test-embedder');
    assert.equal(seen[0].headers.authorization, 'Bearer secret-key');
    assert.equal(e.dimensions, 8);
    assert.equal(e.modelId, 'test-embedder');
    assert.ok((await e('one')) instanceof Float32Array);
  });

  test('accepts the whole address too', async () => {
    await embedder({ url: `${url}/embeddings?version=2` })('x');
    assert.equal(seen[0].url, '/v1/embeddings?version=2');
  });

  test('sends lone surrogates as U+FFFD and a prompt of 1 MB whole', async () => {
    await embedder()('a\ud800b');
    if (String.prototype.toWellFormed) assert.equal(seen[0].body.input[0], 'a\ufffdb');
    await embedder()('x'.repeat(1 << 20));
    assert.equal(seen[1].body.input[0].length, 1 << 20);
  });

  test('tries again after 429, 500 and a cut connection, and heeds Retry-After', async () => {
    answer = (request, response, body, n) => {
      if (n === 1) response.writeHead(429, { 'retry-after': '0' }).end('slow down');
      else if (n === 2) response.writeHead(503).end('busy');
      else if (n === 3) request.socket.destroy();
      else good(request, response, body);
    };
    assert.equal((await embedder({ retries: 3 })('x')).length, 8);
    assert.equal(seen.length, 4);
  });

  test('gives up after the last try, with the status and what the server said', async () => {
    answer = (request, response) => response.writeHead(500).end('{"error":"out of memory for key secret-key"}');
    const error = await failure(embedder({ retries: 1, headers: () => ({ authorization: 'Bearer secret-key' }) })('x'));
    assert.equal(error.code, 'SR_FETCH');
    assert.match(error.message, /answered 500: .*out of memory/);
    assert.doesNotMatch(error.message, /secret-key/);
    assert.equal(seen.length, 2);
  });

  test('does not try again after 401', async () => {
    answer = (request, response) => response.writeHead(401).end('no key');
    assert.match((await failure(embedder({ retries: 3 })('x'))).message, /answered 401: no key/);
    assert.equal(seen.length, 1);
  });

  test('a server that hangs times out, before and within the body', async () => {
    answer = () => {};
    assert.equal((await failure(embedder({ timeoutMs: 80 })('x'))).code, 'SR_TIMEOUT');
    answer = (request, response) => response.write('{"data":[');
    assert.equal((await failure(embedder({ timeoutMs: 80 })('x'))).code, 'SR_TIMEOUT');
  });

  test('aborts, also while it waits to try again', async () => {
    answer = () => {};
    const reason = new Error('typed on');
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 30);
    assert.equal(await failure(embedder()('x', { signal: abort.signal })), reason);
    answer = (request, response) => response.writeHead(503, { 'retry-after': '20' }).end();
    const other = new AbortController();
    setTimeout(() => other.abort(reason), 30);
    assert.equal(await failure(embedder({ retries: 3 })('x', { signal: other.signal })), reason);
  });

  for (const [name, reply, code, message] of [
    ['HTML', '<!doctype html><title>Sign in</title>', 'SR_RESPONSE', /web page.*Sign in/],
    ['half of the JSON', '{"data":[{"embedding":[1,2', 'SR_RESPONSE', /half an answer/],
    ['nothing', '', 'SR_RESPONSE', /not JSON: \(nothing\)/],
    ['no data', '{"error":"no such model"}', 'SR_RESPONSE', /without "data".*no such model/],
    ['too few', '{"data":[]}', 'SR_RESPONSE', /0 embeddings for 1 texts/],
    ['null', 'null', 'SR_RESPONSE', /without "data"/],
    ['text in a vector', '{"data":[{"index":0,"embedding":[1,"2"]}]}', 'SR_RESPONSE', /not a list of numbers/],
    ['null in a vector', '{"data":[{"index":0,"embedding":[1,null]}]}', 'SR_RESPONSE', /not a list of numbers/],
    ['an index out of range', '{"data":[{"index":4,"embedding":[1,2]}]}', 'SR_RESPONSE', /wrongly/],
    ['another dimension', '{"data":[{"index":0,"embedding":[1,2,3]}]}', 'SR_E_DIM', /3 dimensions, not 8/],
    ['another model', '{"model":"other","data":[{"index":0,"embedding":[1,2,3,4,5,6,7,8]}]}', 'SR_E_MODEL', /other, not test-embedder/],
  ])
    test(`refuses ${name}`, async () => {
      answer = (request, response) => response.end(reply);
      const error = await failure(embedder({ dimensions: 8 })('x'));
      assert.equal(error.code, code);
      assert.match(error.message, message);
    });

  test('half a body on the wire, and no server at all', async () => {
    answer = (request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('{"data":');
      setTimeout(() => request.socket.destroy(), 10);
    };
    assert.equal((await failure(embedder()('x'))).code, 'SR_RESPONSE');
    assert.equal((await failure(http({ url: 'http://127.0.0.1:9', model: 'm', retries: 0 })('x'))).code, 'SR_FETCH');
  });

  test('follows no redirect: a key is for one server', async () => {
    answer = (request, response) => response.writeHead(302, { location: '/elsewhere' }).end();
    assert.equal((await failure(embedder()('x'))).code, 'SR_FETCH');
    assert.equal(seen.length, 1);
  });

  test('misuse is a TypeError', () => {
    for (const options of [null, {}, { url }, { url, model: '' }, { url, model: 'm', headers: {} }, { url: 'file:///x', model: 'm' },
      { url, model: 'm', batch: 0 }, { url, model: 'm', retries: -1 }])
      assert.throws(() => http(options), TypeError);
  });

  test('routes with an asset made for its model, and with no other', async () => {
    const { bytes: asset, centres } = sampleAsset({ dim: 8 });
    answer = (request, response, { input }) =>
      response.end(JSON.stringify({ data: input.map((t, index) => ({ index, embedding: centres.find((c) => c.id === t).at[0] })) }));
    for (const variant of variants) {
      const router = await SmartRouter.load({ asset, wasm, variant, embedder: embedder() });
      assert.equal(router.state.exit, 0);
      assert.equal((await router.route('science')).route, 'science');
      const empty = await router.route(' \n\u3000');
      assert.deepEqual([empty.route, empty.confidence, empty.score, empty.why.length], ['general', 0, 0, 0]);
      assert.equal(router.explain(empty).rule, 'empty');
      router.dispose();
    }
    assert.equal((await failure(SmartRouter.load({ asset, wasm, embedder: embedder({ model: 'other' }) }))).code, 'SR_E_MODEL');
    assert.equal((await failure(SmartRouter.load({ asset, wasm, embedder: embedder({ dimensions: 4 }) }))).code, 'SR_E_DIM');
  });
});
