// Typing never janks: previews are quick, and no task of the page is long, with a worker and without.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { asset, model } from '../js/text-setup.js';
import { blank, browsers, start } from './setup.js';

const TEXT = 'please write a short and sad poem about the autumn rain that falls upon the old harbour of my town tonight';

/** In the page: types TEXT letter by letter, previews and routes at each, and watches for long tasks (50 ms and more). */
async function typing({ text, worker }) {
  const { SmartRouter } = await import('/smartrouter.js');
  const router = await SmartRouter.load({ asset: '/test.srr', model: '/model.srm', worker });
  await router.load();
  router.preview('warm up');
  await router.route('warm up');
  const long = [];
  const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration)));
  if (PerformanceObserver.supportedEntryTypes.includes('longtask')) observer.observe({ entryTypes: ['longtask'] });
  const previews = [];
  let last, answered = 0, gap = 0, before = performance.now(), stop = false;
  const watch = () => {
    const now = performance.now();
    gap = Math.max(gap, now - before);
    before = now;
    if (!stop) setTimeout(watch, 0);
  };
  watch();
  for (let n = 1; n <= text.length; n++) {
    const at = performance.now();
    router.preview(text.slice(0, n));
    previews.push(performance.now() - at);
    last = router.route(text.slice(0, n)).then((d) => (answered++, d), (e) => e.code);
    await new Promise((go) => setTimeout(go, 30));
  }
  const decision = await last;
  stop = true;
  observer.disconnect();
  previews.sort((a, b) => a - b);
  const result = {
    exit: decision.exit, exits: router.exits.length, layer: router.preview(text).layer, answered, gap, long,
    median: previews[previews.length >> 1], worst: previews.at(-1), ms: decision.ms, inWorker: router.inWorker,
  };
  router.dispose();
  return result;
}

for (const [name, launch] of Object.entries(browsers))
  describe(`typing, ${name}`, () => {
    let browser, server;
    before(async () => {
      const files = { '/test.srr': await asset(), '/model.srm': model };
      server = await start({ hook: (request, response) => files[request.url] && (response.end(files[request.url]), true) });
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });

    for (const worker of [true, false])
      test(`every keystroke has a preview, the last text its answer, and no task is long (${worker ? 'worker' : 'slices'})`, async (t) => {
        const page = await browser.page();
        await page.goto(blank(server));
        const r = await page.evaluate(typing, { text: TEXT, worker });
        await page.close();
        t.diagnostic(`${name}, ${worker ? 'worker' : 'slices'}: preview at layer ${r.layer} ${r.median.toFixed(2)} ms median, ${r.worst.toFixed(2)} worst; ` +
          `last answer ${r.ms.toFixed(1)} ms; ${r.answered} of ${TEXT.length} answered; longest pause of the page ${r.gap.toFixed(1)} ms`);
        assert.equal(r.inWorker, worker);
        assert.equal(r.exit, r.exits - 1);
        assert.equal(r.layer, 1);
        // A busy machine stretches any task now and then; a page that janks is late at most keystrokes.
        assert.ok(r.long.length <= TEXT.length / 10, `${r.long.length} long tasks: ${r.long}`);
      });
  });
