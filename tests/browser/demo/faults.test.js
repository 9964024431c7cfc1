import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { deepen, part, setup, site, text, type, use, verdict } from './harness.js';

const PROMPT = 'Schreib mir ein trauriges Gedicht über den Herbst';

describe('a browser that can do everything', () => {
  const it = setup({ path: '' });

  test('works without the network after the first visit, the model too', async () => {
    const page = await it.open({ shallow: true, serviceWorkers: 'allow' });
    await deepen(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.waitForFunction(() => navigator.serviceWorker.controller);
    // A part of the model answers before it is written to the cache: wait until no more come.
    await page.waitForFunction(async () => {
      const kept = (await (await caches.open('smartrouter')).keys()).length, before = globalThis.kept;
      globalThis.kept = kept;
      return kept === before;
    }, null, { polling: 1000 });
    await page.context().setOffline(true);
    it.hook = (_request, response) => (response.destroy(), true); // and the server is gone
    try {
      await page.reload();
      await page.waitForFunction(() => document.documentElement.dataset.ready);
      await text(page, '#load', /from this device/);
      await type(page, PROMPT);
      await text(page, '#verdict', /Creative Writing/);
      await part(page, 'edit', '.route-tab');
      await part(page, 'measure', '#measure-go');
      await page.selectOption('#language', 'pl');
      await text(page, '#try-title', /Który model/);
    } finally {
      it.hook = null;
      await page.context().close();
    }
  });

  test('a failed download says so, goes on answering, and can be tried again', async () => {
    let down = true;
    it.hook = (request, response) => down && /\.srm/.test(request.url) && (response.writeHead(404).end(), true);
    const page = await it.open({ shallow: true });
    await type(page, PROMPT);
    await page.click('#deepen');
    await text(page, '#load', /could not be fetched[^]*404/);
    await page.click('#prompt');
    await page.keyboard.type(' und den Regen');
    if (use.table) await text(page, '#verdict', /Creative Writing/);
    down = false;
    await page.click('#retry');
    await text(page, '#load', /whole model is here/);
    await text(page, '#verdict', /Creative Writing/);
    it.hook = null;
    await page.context().close();
  });

  test('a download can be cancelled, and taken up again', async () => {
    let slow = true;
    it.hook = (request, response) => {
      if (!slow || !/\.srm/.test(request.url)) return false;
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      response.write(Buffer.alloc(40));
      return true; // and nothing more
    };
    const page = await it.open({ shallow: true });
    await page.click('#deepen');
    await page.waitForSelector('#load [role=progressbar]');
    await page.click('#cancel');
    slow = false;
    await page.waitForSelector('#deepen');
    await type(page, PROMPT);
    if (use.table) await text(page, '#verdict', /Creative Writing/);
    await deepen(page);
    await text(page, '#verdict', /Creative Writing/);
    it.hook = null;
    await page.context().close();
  });

  test('a corrupted download is not used, is fetched afresh, and is told about when that does not help', async () => {
    const bytes = readFileSync(`${site}/${use.model.path}`);
    bytes[Math.round(bytes.length * 0.8)] ^= 8;
    let bad = true;
    it.hook = (request, response) => bad && /\.srm/.test(request.url) && (response.end(bytes), true);
    const page = await it.open({ shallow: true });
    await page.click('#deepen');
    await text(page, '#load', /damaged and was not used[^]*SR_E_CHECKSUM/);
    bad = false;
    await page.click('#retry');
    await text(page, '#load', /whole model is here/);
    it.hook = null;
    await page.context().close();
  });

  test('without storage nothing breaks, and the editor says that nothing is kept', async () => {
    const init = () => {
      const blocked = () => {
        throw new DOMException('blocked', 'SecurityError');
      };
      for (const name of ['localStorage', 'indexedDB', 'caches']) Object.defineProperty(globalThis, name, { get: blocked });
    };
    const page = await it.open({ init });
    await type(page, PROMPT);
    await text(page, '#verdict', /Creative Writing/);
    await deepen(page);
    await page.click('#theme');
    await part(page, 'edit', '#route-add');
    await page.fill('#route-add', 'Noch ein Beispiel');
    await page.press('#route-add', 'Enter');
    await text(page, '.saved', /keeps nothing/);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });

  test('without SIMD the same decision comes from the plain build', async () => {
    const init = () => {
      WebAssembly.validate = () => false;
    };
    const [plain, simd] = [await it.open({ init }), await it.open()];
    const decisions = [];
    for (const page of [plain, simd]) {
      await type(page, PROMPT);
      await text(page, '#verdict', /Creative Writing/);
      await verdict(page);
      decisions.push(await page.evaluate(() => [...document.querySelectorAll('.bar-value')].map((e) => e.textContent)));
    }
    assert.deepEqual(decisions[0], decisions[1]);
    assert.ok(plain.asked.some((url) => /smartrouter-scalar\.wasm/.test(url)) && !plain.asked.some((url) => /simd|relaxed/.test(url)));
    for (const page of [plain, simd]) await page.context().close();
  });

  test('a missing list of files is told about', async () => {
    it.hook = (request, response) => /site\.json/.test(request.url) && (response.writeHead(500).end(), true);
    const page = await it.open({ wait: false });
    await text(page, '#problem', /could not be fetched/);
    it.hook = null;
    await page.context().close();
  });
});

describe('WebAssembly is blocked', () => {
  const it = setup();
  const says = async (page) => {
    await text(page, '#problem', /WebAssembly does not run here/);
    await page.fill('#prompt', PROMPT);
    await part(page, 'edit', '#route-add');
    await part(page, 'own', '#own-url');
    assert.deepEqual(page.problems.filter((p) => !/Content Security Policy|Content-Security-Policy/.test(p)), []);
    await page.context().close();
  };
  test('by a browser without it: the page says so and stays readable', async () =>
    says(await it.open({ shallow: true, init: () => delete globalThis.WebAssembly })));

  test('by a policy that the host sends', async () => {
    it.hook = (request, response) => {
      if (request.url === '/') response.setHeader('content-security-policy', "script-src 'self'");
      return false;
    };
    await says(await it.open({ shallow: true }));
    it.hook = null;
  });
});
