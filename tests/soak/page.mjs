// The part of the soak that runs in Chromium: a page under long use, and one whose worker keeps dying.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { serve } from '../serve.js';

const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--enable-precise-memory-info'];

/** work(page, session of the developer tools) in a blank page served from the repository. */
async function inPage(root, work) {
  const server = await serve(root, {
    before(request, response) {
      if (request.url !== '/blank') return false;
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>soak</title>');
      return true;
    },
  });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`soak: in the page: ${error}`));
    await page.goto(`${server.url}blank`);
    return await work(page, await page.context().newCDPSession(page));
  } finally {
    await browser.close();
    await server.close();
  }
}
/** In the page: opens the router, counting every WebAssembly memory that this thread starts. */
async function open({ config, worker, table = '/build/routes/five-routes.srt' }) {
  window.memories = [];
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...given) => {
    const made = await instantiate(...given);
    window.memories.push((made.instance ?? made).exports.memory);
    return made;
  };
  const { SmartRouter } = await import('/web/smartrouter.js');
  const at = { asset: '/build/routes/five-routes.srr', model: '/build/model/smartrouter-model.srm', wasm: `/build/${config}/wasm/` };
  window.router = await SmartRouter.load({ ...at, ...(table && { table }), worker, autoload: false, previewLayer: -1 });
  await window.router.load();
  return window.router.inWorker;
}

/** A million calls that the piece table answers, the encoder waiting in its worker. Memory is looked at, after gc, at the start
 * (once the optimising compilers are through), in the middle and at the end. */
export const pageCalls = (root, config, texts) => (count) =>
  inPage(root, async (page, tools) => {
    assert.equal(await page.evaluate(open, { config }), true);
    await tools.send('HeapProfiler.enable');
    const look = async () => {
      for (let round = 0; round < 2; round++) await tools.send('HeapProfiler.collectGarbage');
      const { usedSize } = await tools.send('Runtime.getHeapUsage');
      return { heap: usedSize, wasm: await page.evaluate(() => window.memories.reduce((sum, m) => sum + m.buffer.byteLength, 0)) };
    };
    const run = (from, to) =>
      page.evaluate(async ({ texts, from, to }) => {
        const { router } = window;
        const seen = (window.seen ??= new Map());
        const maxExit = router.exits.find((e) => e.embedder === 'table').exit;
        let wrong = 0;
        for (let i = from; i < to; i++) {
          const text = texts[i % texts.length];
          const { route, exit } = await router.route(text, { maxExit });
          if (!seen.has(text)) seen.set(text, route);
          if (exit !== maxExit || route !== seen.get(text)) wrong++;
          if (i % 1000 === 999) await new Promise((later) => setTimeout(later)); // a page has turns
        }
        return wrong;
      }, { texts, from, to });
    const [fifth, half] = [Math.floor(count / 5), Math.floor(count / 2)];
    const parts = [];
    let wrong = 0;
    for (const [from, to] of [[0, fifth], [fifth, half], [half, count]]) {
      wrong += await run(from, to);
      parts.push(await look());
    }
    assert.equal(wrong, 0);
    const [start, middle, end] = parts;
    assert.deepEqual([middle.wasm, end.wasm], [start.wasm, start.wasm], 'WebAssembly memory grew');
    const sum = (part) => part.heap + part.wasm;
    const mb = (bytes) => (bytes / 1e6).toFixed(2);
    return {
      held: `the same answers to the end; JavaScript ${parts.map((p) => mb(p.heap)).join(', ')} MB, WebAssembly ${mb(end.wasm)} MB throughout`,
      early: sum(start), late: Math.max(sum(middle), sum(end)), allowed: 1e6,
    };
  });

/** Calls that a worker answers which dies at its hundredth; without a piece table, so that each call is the worker's. */
export const pageDeaths = (root, config, texts) => (count) =>
  inPage(root, async (page) => {
    assert.equal(await page.evaluate(open, { config, table: null }), true);
    const expected = await page.evaluate(async (texts) => {
      const answers = [];
      for (const text of texts) answers.push((await window.router.route(text)).route);
      return answers;
    }, texts);
    await page.evaluate(() => window.router.dispose());
    await page.evaluate(() => {
      const { Worker } = window;
      window.workers = 0;
      window.Worker = class extends Worker {
        constructor(...given) {
          super(...given);
          window.workers++;
        }
      };
    });
    assert.equal(await page.evaluate(open, { config, table: null, worker: '/tests/soak/mortal-page-worker.js' }), true);
    const result = await page.evaluate(async ({ texts, expected, count, together }) => {
      const got = new Map();
      let wrong = 0, doubled = 0, order = 0, next = 0;
      for (let from = 0; from < count; from += together) {
        const calls = [];
        for (let i = from; i < Math.min(count, from + together); i++)
          calls.push(window.router.route(texts[i % texts.length], { keep: true }).then((decision) => {
            if (got.has(i)) doubled++;
            got.set(i, decision);
            if (i !== next++) order++;
            if (decision.route !== expected[i % texts.length]) wrong++;
          }));
        await Promise.all(calls);
      }
      return { answered: got.size, wrong, doubled, order, workers: window.workers };
    }, { texts, expected, count, together: 10 });
    const { workers, ...rest } = result;
    assert.deepEqual(rest, { answered: count, wrong: 0, doubled: 0, order: 0 });
    assert.ok(workers > 1, 'no worker died');
    return { held: `${workers - 1} workers died; none lost, doubled or out of order` };
  });
