import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SmartRouter } from '../../web/smartrouter.js';
import { out } from '../js/setup.js';
import { asset, model, prompts } from '../js/text-setup.js';
import { blank, browsers, start } from './setup.js';

const VARIANTS = ['scalar', 'simd128', 'relaxed'];
const texts = [...Object.values(prompts), 'Schreibe mir ein Gedicht', 'x'.repeat(3000), '', 'a\ud800b'];

/** In the page: loads a router and keeps it as window.router. */
async function open(options) {
  const { SmartRouter } = await import('/smartrouter.js');
  const states = (window.states = []);
  const at = performance.now();
  try {
    window.router = await SmartRouter.load({
      asset: '/test.srr', model: '/model.srm', ...options, onProgress: (s) => states.push([s.state, s.exit, s.fromCache]),
    });
    if (options?.autoload !== false) await window.router.load();
    const { variant, inWorker, state } = window.router;
    return { variant, inWorker, state: state.state, ms: performance.now() - at, best: SmartRouter.bestVariant() };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}
const routeAll = async (texts) => {
  const decisions = [];
  for (const text of texts) decisions.push({ ...(await window.router.route(text)), ms: 0 });
  return decisions;
};

for (const [name, launch] of Object.entries(browsers))
  describe(name, () => {
    let browser, server, expected, hook;
    before(async () => {
      const bytes = await asset();
      const files = { '/test.srr': bytes, '/model.srm': model };
      server = await start({
        hook(request, response) {
          if (hook?.(request, response)) return true;
          const file = files[request.url];
          if (!file) return false;
          server.log.push({ path: request.url, status: 200, bytes: file.length });
          response.end(file);
          return true;
        },
      });
      const here = await SmartRouter.load({ asset: bytes, model, wasm: new URL('wasm/', out) });
      await here.load();
      expected = [];
      for (const text of texts) expected.push({ ...(await here.route(text)), ms: 0 });
      here.dispose();
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });
    const inPage = async (work, policy) => {
      const page = await browser.page();
      try {
        await page.goto(blank(server, policy));
        await work(page);
      } finally {
        hook = undefined;
        await page.close();
      }
    };

    for (const variant of VARIANTS)
      test(`${variant}: under a strict policy, in a worker, the decisions of Node`, () =>
        inPage(async (page) => {
          const opened = await page.evaluate(open, { variant });
          assert.deepEqual({ ...opened, ms: 0, best: '' }, { variant, inWorker: true, state: 'full', ms: 0, best: '' });
          assert.deepEqual(await page.evaluate(routeAll, texts), expected);
          assert.deepEqual(page.problems, []);
        }));

    test('the best build is chosen, and previews answer on the page’s own thread', () =>
      inPage(async (page) => {
        const opened = await page.evaluate(open, {});
        assert.equal(opened.variant, opened.best);
        assert.equal(opened.variant, 'relaxed');
        const preview = await page.evaluate((text) => window.router.preview(text), prompts.code);
        assert.equal(preview.layer, 1);
        assert.equal(preview.route, 'code');
      }));

    test('where workers are forbidden it reads in slices', () =>
      inPage(async (page) => {
        const opened = await page.evaluate(open, {});
        assert.equal(opened.inWorker, false);
        assert.deepEqual(await page.evaluate(routeAll, texts), expected);
      }, "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'none'"));

    test('where WebAssembly is forbidden it says so', () =>
      inPage(async (page) => {
        const opened = await page.evaluate(open, {});
        assert.equal(opened.code, 'SR_WASM');
        assert.match(opened.message, /wasm-unsafe-eval/);
      }, "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'"));

    test('the second visit takes the model from the cache, the network away', () =>
      inPage(async (page) => {
        await page.evaluate(open, {});
        const parts = 1 + Math.ceil(model.length / 2 ** 21); // the asset's one, the model's
        await page.until(async (parts) => (await (await caches.open('smartrouter')).keys()).length === parts, parts);
        await page.goto(blank(server));
        server.log.length = 0;
        hook = (request, response) => /^\/(model|test)\.sr/.test(request.url) && (response.destroy(), true);
        const opened = await page.evaluate(open, {});
        assert.equal(opened.state, 'full');
        assert.equal(await page.evaluate(() => window.states.at(-1)[2]), true);
        assert.deepEqual(await page.evaluate(routeAll, texts), expected);
        assert.ok(server.log.every(({ path }) => !path.endsWith('.srm')));
      }));

    test('a damaged cache entry is fetched again', () =>
      inPage(async (page) => {
        await page.evaluate(open, {});
        await page.until(async () => {
          const cache = await caches.open('smartrouter');
          const [url] = (await cache.keys()).map((k) => k.url).filter((u) => u.includes('model.srm') && u.endsWith('.0'));
          if (!url) return false;
          const bytes = new Uint8Array(await (await cache.match(url)).arrayBuffer());
          bytes[bytes.length - 9] ^= 1;
          await cache.put(url, new Response(bytes));
          return true;
        });
        await page.goto(blank(server));
        const opened = await page.evaluate(open, {});
        assert.equal(opened.state, 'full');
        assert.deepEqual(await page.evaluate(routeAll, texts), expected);
      }));

    test('blocked and full storage do not matter', () =>
      inPage(async (page) => {
        for (const broken of ['open', 'put']) {
          await page.evaluate((broken) => {
            const refuse = () => Promise.reject(new DOMException('no', broken === 'put' ? 'QuotaExceededError' : 'SecurityError'));
            if (broken === 'open') CacheStorage.prototype.open = refuse;
            else Cache.prototype.put = refuse;
          }, broken);
          assert.equal((await page.evaluate(open, { worker: false })).state, 'full');
          await page.goto(blank(server));
        }
      }));
  });
