// The same page in Firefox, each part once: typing, depth, the map, an edit, a measurement, a server of one's own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serve } from '../../serve.js';
import { launchFirefox, site } from './harness.js';

let browser, server, page;
before(async () => {
  server = await serve(site);
  browser = await launchFirefox();
  page = await browser.page();
  await page.goto(server.url);
  await page.until(() => document.documentElement.dataset.ready);
});
after(async () => {
  await browser?.close();
  await server?.close();
});
const matches = (selector, source, ms) => page.until(({ selector: s, source: p }) => new RegExp(p).test(document.querySelector(s)?.innerText ?? ''), { selector, source }, ms);
const near = (id) => page.evaluate((i) => document.getElementById(i).scrollIntoView({ behavior: 'instant' }), id);

test('decides while one types, and deeper when asked to', async () => {
  if (await page.evaluate(() => !!document.querySelector('#deepen'))) await page.click('#deepen');
  await matches('#load', 'whole model is here', 90000);
  await page.type('#prompt', 'Write a sad poem about the autumn rain');
  await matches('#verdict', 'Creative Writing');
  await matches('#exits', 'decided');
  assert.ok(await page.evaluate(() => document.querySelectorAll('#why li').length >= 3));
});
test('draws the map', async () => {
  assert.ok(await page.evaluate(() => {
    const canvas = document.querySelector('#map-canvas');
    return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v);
  }));
});
test('compiles an edit and keeps it', async () => {
  await near('edit');
  await page.until(() => !!document.querySelector('#route-add'));
  await page.type('#route-add', 'one more example');
  await page.evaluate(() => document.querySelector('#route-add').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })));
  await matches('.change', 'of 60 prompts right', 120000);
  await matches('.saved', 'Kept on this device');
});
test('measures', async () => {
  await near('measure');
  await page.until(() => !!document.querySelector('#measure-go'));
  await page.evaluate(() => document.querySelector('#measure-go').click());
  await page.until(() => document.querySelectorAll('#measure-body td.num').length >= 3, null, 90000);
  await page.evaluate(() => [...document.querySelectorAll('#measure-body button')].find((b) => /Cancel/.test(b.textContent)).click());
});
test('asks a server of one’s own, from the worker that the page’s policy leaves free', async () => {
  await near('own');
  await page.until(() => !!document.querySelector('#own-url'));
  await page.type('#own-url', 'http://127.0.0.1:9/v1');
  await page.type('#own-model', 'm');
  await page.evaluate(() => document.querySelector('.own-form [type=submit]').click());
  await matches('.own-result', 'Access-Control-Allow-Origin', 60000);
});
test('nothing went wrong on the way', () => {
  assert.deepEqual(page.problems.filter((p) => !/127\.0\.0\.1:9|Cross-Origin Request Blocked/.test(p)), []);
});
