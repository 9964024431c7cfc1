// What a page may rely on: Trusted Types, sandboxed frames, hostile names and prompts, and that nothing leaves it. (The demo page's own
// labels and utterances full of markup: demo/edit.test.js.)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SmartRouter } from '../../web/smartrouter.js';
import { encoder } from '../../web/embedders/encoder.js';
import { wasm } from '../js/setup.js';
import { model } from '../js/text-setup.js';
import { STRICT, blank, browsers, start } from './setup.js';

const MARKUP = '<img src="https://example.invalid/x" onerror="window.hacked = 1"><script>window.hacked = 1</script>';
const NAMES = ['__proto__', 'constructor', 'toString', MARKUP];
const routes = {
  name: MARKUP, fallback: 'constructor',
  routes: NAMES.map((id, i) => ({ id, label: `${MARKUP} ${i}`, target: '__proto__', utterances: [`${MARKUP} ${i}`, ['cook rice', 'fix my code', 'a sad poem', 'x squared'][i]] })),
};
// Texts over which a careless pattern or tokenizer takes minutes.
const SLOW = ['a'.repeat(200000), `${' '.repeat(100000)}x`, '('.repeat(100000), 'a\u0301'.repeat(50000), '\u{1f468}\u200d'.repeat(30000), 'a@'.repeat(50000), `${'0'.repeat(100000)}!`];

/** In the page: loads, routes each text, and puts labels and reasons into it as a page would. */
async function visit({ texts, base }) {
  const { SmartRouter } = await import(`${base}smartrouter.js`);
  const router = await SmartRouter.load({ asset: `${base}hostile.srr`, model: `${base}model.srm` });
  await router.load();
  const decisions = [];
  for (const text of texts) {
    const at = performance.now();
    const { route, label, why, scores } = await router.route(text);
    decisions.push({ route, label, why: why.map((w) => w.text), scores: scores.map((s) => s.route), ms: performance.now() - at });
    const shown = document.createElement('p');
    shown.textContent = [label, ...why.map((w) => w.text)].join(' ');
    document.body.append(shown);
  }
  const result = { decisions, inWorker: router.inWorker, hacked: window.hacked ?? 0, polluted: {}.polluted ?? Object.keys({}).length };
  router.dispose();
  return result;
}

for (const [name, launch] of Object.entries(browsers))
  describe(`${name}: security`, () => {
    let browser, server;
    before(async () => {
      const embedder = await encoder({ model, wasm, worker: false });
      const files = { '/hostile.srr': await SmartRouter.compile(routes, embedder, { layers: [1], wasm }), '/model.srm': model };
      embedder.dispose();
      server = await start({
        hook(request, response) {
          response.setHeader('access-control-allow-origin', '*'); // a sandboxed frame has an origin of its own
          if (request.url === '/frame') {
            response.writeHead(200, { 'content-type': 'text/html' });
            response.end(`<!doctype html><title>frame</title><iframe sandbox="allow-scripts" src="/framed"></iframe><script>addEventListener('message', (event) => window.said = event.data)</script>`);
            return true;
          }
          if (request.url === '/framed') {
            response.writeHead(200, { 'content-type': 'text/html' });
            response.end(`<!doctype html><title>framed</title><body><script type="module">const answer = await (${visit})({ texts: ['fix my code'], base: '${server.url}' }).catch((error) => ({ error: String(error) })); parent.postMessage(answer, '*');</script>`);
            return true;
          }
          if (!files[request.url]) return false;
          response.end(files[request.url]);
          return true;
        },
      });
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });
    const inPage = async (url, work) => {
      const page = await browser.page();
      try {
        await page.goto(url);
        await work(page);
        const strangers = page.requests.filter((u) => !u.startsWith(server.url) && !/^(blob|data|about):/.test(u));
        assert.deepEqual(strangers, [], 'every request goes to the page’s own origin');
        const spoken = page.requests.filter((u) => /fix|cook|sad|poem|squared/.test(decodeURIComponent(u)));
        assert.deepEqual(spoken, [], 'no request carries a prompt');
      } finally {
        await page.close();
      }
    };
    const well = ({ decisions, hacked, polluted }, count) => {
      assert.equal(decisions.length, count);
      assert.deepEqual([hacked, polluted], [0, 0]);
      for (const { route, label, scores } of decisions) {
        assert.ok(NAMES.includes(route) && label === `${MARKUP} ${NAMES.indexOf(route)}`);
        assert.deepEqual([...scores].sort(), [...NAMES].sort());
      }
    };

    test('routes named like parts of an object, labels of markup: answered, shown as text, nothing fetched', () =>
      inPage(blank(server), async (page) => {
        const texts = ['cook rice', 'fix my code', 'a sad poem', 'x squared', MARKUP, '{"__proto__":{"polluted":1}}'];
        const result = await page.evaluate(visit, { texts, base: '/' });
        well(result, texts.length);
        assert.deepEqual(result.decisions.slice(0, 4).map((d) => d.route), NAMES);
        assert.deepEqual(page.problems, []);
      }));

    test('texts made to be slow take no longer than long ones', () =>
      inPage(blank(server), async (page) => {
        const ordinary = 'Please look at this function and tell me why it fails. '.repeat(2000);
        const result = await page.evaluate(visit, { texts: [ordinary, ...SLOW], base: '/' });
        well(result, SLOW.length + 1);
        const [{ ms: usual }, ...slow] = result.decisions;
        for (const [i, { ms }] of slow.entries()) assert.ok(ms < 10 * usual + 1000, `text ${i}: ${Math.round(ms)} ms, an ordinary long one ${Math.round(usual)} ms`);
      }));

    const TRUSTED = `${STRICT}; require-trusted-types-for 'script'`;
    test('under Trusted Types without a policy it answers on the page’s own thread', () =>
      inPage(blank(server, `${TRUSTED}; trusted-types 'none'`), async (page) => well(await page.evaluate(visit, { texts: ['fix my code'], base: '/' }), 1)));

    test('under Trusted Types with the page’s policy it answers from a worker', () =>
      inPage(blank(server, `${TRUSTED}; trusted-types default`), async (page) => {
        await page.evaluate(() => void globalThis.trustedTypes?.createPolicy('default', { createScriptURL: (url) => (new URL(url).origin === location.origin ? url : '') }));
        const result = await page.evaluate(visit, { texts: ['fix my code'], base: '/' });
        well(result, 1);
        assert.equal(result.inWorker, true);
      }));

    test('in a sandboxed frame without an origin of its own it answers, too', () =>
      inPage(`${server.url}frame`, async (page) => {
        const result = await page.until(() => window.said);
        assert.equal(result.error, undefined);
        well(result, 1);
      }));
  });
