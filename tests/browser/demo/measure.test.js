import assert from 'node:assert/strict';
import { test } from 'node:test';
import { part, setup, text } from './harness.js';

const it = setup();

test('measures all builds beside plain JavaScript, in a worker, and copies the table', async () => {
  const page = await it.open({ shallow: true, permissions: ['clipboard-read', 'clipboard-write'] });
  await part(page, 'measure', '#measure-go');
  await page.evaluate(() => {
    window.gap = 0;
    let last = performance.now();
    setInterval(() => ((window.gap = Math.max(window.gap, performance.now() - last)), (last = performance.now())), 5);
  });
  await page.click('#measure-go');
  await page.waitForSelector('#measure-body [role=progressbar]:visible');
  await text(page, '#measure-body [role=status]', /Done/, 120000);
  const table = await text(page, '#measure-body table', /10,000/);
  for (const name of ['Plain JavaScript', 'WebAssembly', 'SIMD', 'Relaxed SIMD', '100 examples', '1,000 examples']) assert.ok(table.includes(name), name);
  assert.equal(await page.locator('#measure-body td.num').count(), 12);
  assert.equal(await page.locator('#measure-body td .spread').count(), 12);
  await page.click('#measure-copy');
  await text(page, '#measure-body [role=status]', /Copied/);
  const markdown = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(markdown, /^\| Work \| Plain JavaScript \|[^]*\| --- \| ---: \|[^]*µs[^]*cores, Mozilla/);
  assert.ok((await page.evaluate(() => window.gap)) < 1500, 'the page’s thread was never held');
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('can be stopped', async () => {
  const page = await it.open({ shallow: true });
  await part(page, 'measure', '#measure-go');
  await page.click('#measure-go');
  await page.click('#measure-body button:has-text("Cancel")');
  await text(page, '#measure-body [role=status]', /Stopped/);
  assert.equal(await page.isEnabled('#measure-go'), true);
  await page.context().close();
});
