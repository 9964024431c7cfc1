// The demo page's warm start: a later visit in Chromium, everything in its caches (service worker, Cache Storage), from navigation to
// the first route that is shown, and to the first one that the encoder decided. A new page each time, of a profile on the disk.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { serve } from '../serve.js';
import { summary } from './measure.mjs';

const TEXT = 'something about the two of them from last week'; // the piece table is not sure of it, so the encoder is asked

/** In the page, before its own scripts: notes when the chip first shows a route, and when an exit below the table first decided. */
function watch() {
  const seen = (window.seen = {});
  const look = () => {
    const chip = document.getElementById('chip');
    if (chip && !chip.hidden) seen.route ??= performance.now();
    if (document.querySelector('.exit.decided:not(:first-child)')) seen.encoder ??= performance.now();
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
}

export async function warmStart({ site, executablePath, args, record, say, visits }) {
  const profile = mkdtempSync(join(tmpdir(), 'smartrouter-start-'));
  const server = await serve(site);
  const context = await chromium.launchPersistentContext(profile, { executablePath, args, locale: 'en', viewport: { width: 1280, height: 900 } });
  const runtime = `Chromium ${context.browser().version().split('.')[0]}`;
  const url = `${server.url}#q=${encodeURIComponent(TEXT)}`;
  const visit = async (work) => {
    const page = await context.newPage();
    try {
      await page.goto(url);
      return await work(page);
    } finally {
      await page.close();
    }
  };
  try {
    await visit(async (page) => {
      await page.click('#deepen');
      await page.waitForFunction(() => document.querySelector('.exit') && !document.querySelector('.exit:not(.ready)'), null, { timeout: 120000 });
      await page.evaluate(async () => {
        await navigator.serviceWorker.ready;
        for (let before = -1; ; await new Promise((later) => setTimeout(later, 500))) {
          const kept = (await (await caches.open('smartrouter')).keys()).length;
          if (kept === before) break;
          before = kept;
        }
      });
    });
    await context.addInitScript(watch);
    const samples = { route: [], encoder: [] };
    for (let i = 0; i < visits + 2; i++) {
      say(`warm start ${i} of ${visits + 2}`);
      server.log.length = 0;
      const seen = await visit(async (page) => {
        await page.waitForFunction(() => window.seen.encoder, null, { timeout: 60000 });
        if (!(await page.evaluate(() => !!navigator.serviceWorker.controller))) throw new Error('the page did not come from its service worker');
        return page.evaluate(() => window.seen);
      });
      const asked = server.log.filter(({ path }) => path !== '/sw.js').map(({ path }) => path);
      if (asked.length) throw new Error(`not from the cache: ${asked}`);
      if (i < 2) continue; // the browser keeps compiled code from the second visit on
      for (const name of Object.keys(samples)) samples[name].push(seen[name] * 1000);
    }
    for (const [name, words] of [['route', 'to the first route shown'], ['encoder', 'to the first route that the encoder decided']])
      record({ bench: 'warm start', engine: 'smartrouter', runtime, variant: 'best', settings: words, ...summary(samples[name]) });
  } finally {
    await context.close();
    await server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
