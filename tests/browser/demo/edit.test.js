import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { deepen, part, setup, text, type } from './harness.js';

const it = setup();
const VIRUS = '<img src=x onerror="document.title=\'run\'"><script>document.title="run"</script>';
const file = (value) => ({ name: 'routes.json', mimeType: 'application/json', buffer: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)) });
const importFile = (page, value) => page.setInputFiles('.edit-bar input[type=file]', file(value));
const add = async (page, lines) => {
  await page.fill('#route-add', lines);
  await page.press('#route-add', 'Enter');
};
const open = async (options) => {
  const page = await it.open(options);
  await part(page, 'edit', '#route-add');
  return page;
};

test('an edit is compiled in the page, shows what it changes, and counts at once', async () => {
  const page = await open();
  await text(page, '.change', /Nothing is changed yet[^]*60 labelled prompts/);
  await page.click('.route-tab >> nth=1');
  await add(page, [20, 25, 30, 35, 40, 45].map((n) => `dim the living room lights to ${n} percent`).join('\n'));
  const shown = await text(page, '.change', /of 60 prompts right[^]*elsewhere/, 60000);
  assert.match(shown, /Before:\n?\d+\s?%[^]*After:\n?\d+\s?%[^]*Compiled in/);
  assert.match(shown, /dim the living room lights/, 'a prompt that went elsewhere is shown');
  await type(page, 'dim the living room lights to 20 percent');
  await text(page, '#verdict', /Creative Writing/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('undo and redo, by button and by key, to the first state and back', async () => {
  const page = await open();
  const count = () => text(page, '.route-tab[aria-selected=true] .num', /\d/);
  const before = Number(await count());
  await add(page, 'one more example');
  assert.equal(Number(await count()), before + 1);
  await page.fill('#route-label', 'Small Talk');
  await text(page, '.route-tab[aria-selected=true]', /Small Talk/);
  await page.click('[data-focus="edit.undo"]');
  await text(page, '.route-tab[aria-selected=true]', /General Chat/);
  await page.focus('#route-add');
  await page.keyboard.press('Control+z');
  assert.equal(Number(await count()), before);
  assert.equal(await page.isDisabled('[data-focus="edit.undo"]'), true);
  await page.keyboard.press('Control+Shift+z');
  await page.click('[data-focus="edit.redo"]');
  await text(page, '.route-tab[aria-selected=true]', /Small Talk/);
  assert.equal(Number(await count()), before + 1);
  await page.click('[data-focus="edit.addroute"], [data-focus="add route"]');
  assert.equal(await page.locator('.route-tab').count(), 6);
  await page.click('[data-focus="remove"]');
  assert.equal(await page.locator('.route-tab').count(), 5);
  await page.context().close();
});

test('nothing is lost on reload, and the edited routes answer from the first keystroke', async () => {
  const page = await open();
  await page.fill('#route-label', 'Kitchen table');
  await add(page, 'zzyzx quokka');
  await text(page, '.saved', /Kept on this device/);
  await text(page, '.change', /Compiled in/, 60000);
  const again = await it.open({ context: page.context() });
  await text(again, '#bars', /Kitchen table/);
  await part(again, 'edit', '#route-add');
  await text(again, '.route-tab[aria-selected=true]', /Kitchen table/);
  await again.click('[data-focus="edit.reset"]');
  await text(again, '.route-tab[aria-selected=true]', /General Chat/);
  await text(again, '#bars', /General Chat/);
  await page.context().close();
});

test('what is exported can be imported: JSON and .srr', async () => {
  const page = await open();
  await add(page, 'a very particular example');
  await text(page, '.change', /Compiled in/, 60000);
  const [json] = await Promise.all([page.waitForEvent('download'), page.click('[data-focus="edit.export.json"]')]);
  const [asset] = await Promise.all([page.waitForEvent('download'), page.click('[data-focus="edit.export.asset"]')]);
  const routes = JSON.parse(await readFile(await json.path(), 'utf8'));
  const srr = await readFile(await asset.path());
  assert.ok(routes.routes[0].utterances.includes('a very particular example'));
  assert.equal(srr.subarray(0, 4).toString('latin1'), 'SRR1');
  await page.click('[data-focus="edit.reset"]');
  await page.setInputFiles('.edit-bar input[type=file]', { name: 'x.srr', mimeType: 'application/octet-stream', buffer: srr });
  await page.waitForFunction(() => document.querySelector('.utterances input')?.value === 'a very particular example');
  await importFile(page, routes);
  await page.waitForFunction(() => document.querySelector('.utterances input')?.value === 'a very particular example');
  await page.context().close();
});

test('a hostile route file: markup is text, wrong types are named, nothing runs', async () => {
  const page = await open();
  const good = [{ id: 'a', label: VIRUS, description: VIRUS, utterances: [VIRUS, 'b'] }, { id: VIRUS, utterances: ['c', 'd'] }];
  await importFile(page, { name: VIRUS, fallback: 'a', routes: good });
  await text(page, '.route-tab', /<img src=x/);
  await text(page, '.change', /Compiled in|with another|cannot/, 60000);
  await type(page, VIRUS);
  await text(page, '#verdict', /%/);
  assert.equal(await page.title(), 'SmartRouter: who should answer this prompt?');
  assert.equal(await page.locator('main img, main script').count(), 0);
  for (const [value, message] of [
    ['{', /not a JSON file/], ['[]', /list “routes”/], [{ routes: 3 }, /list “routes”/], [{ routes: [null] }, /Route number 1/],
    [{ routes: [{ id: 7 }] }, /Route number 1/], [{ routes: [{ id: 'a', utterances: 'x' }] }, /list of texts/],
    [{ routes: [{ id: 'a', utterances: [7] }] }, /every entry/], [{ routes: [{ id: 'a', label: {} }] }, /must be a text/],
    [{ routes: [{ id: 'a' }, { id: 'a' }] }, /twice/], [{ fallback: 'z', routes: [{ id: 'a' }] }, /fallback/],
    [{ routes: Array.from({ length: 300 }, (_, i) => ({ id: `r${i}`, utterances: ['x'] })) }, /256/],
    [{ routes: [{ id: 'a', threshold: 'high', utterances: ['x'] }] }, /must be a number/],
    ['{"__proto__":{"polluted":1},"routes":[{"id":"a","__proto__":{"x":1},"utterances":["x"]}],"surprise":true}', /unknown field|surprise|Compiled/],
  ]) {
    await importFile(page, value);
    await text(page, '.change', message, 20000);
    assert.equal(await page.evaluate(() => ({}).polluted), undefined);
  }
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('a hundred thousand utterances: the page stays awake, and more are refused', async () => {
  const page = await open();
  const routes = (n) => ({ name: 'big', fallback: 'r0', routes: Array.from({ length: 10 }, (_, r) => ({ id: `r${r}`, utterances: Array.from({ length: n / 10 }, (_, i) => `text ${r} ${i}`) })) });
  await importFile(page, routes(100010));
  await text(page, '.change', /At most 100000/);
  await page.evaluate(() => {
    window.gap = 0;
    let last = performance.now();
    setInterval(() => ((window.gap = Math.max(window.gap, performance.now() - last)), (last = performance.now())), 5);
  });
  await importFile(page, routes(100000));
  await text(page, '.route-tab .num', /10,000/);
  assert.ok((await page.locator('.utterances li').count()) <= 25);
  await page.fill('#route-search', 'text 0 9999');
  await page.waitForFunction(() => document.querySelectorAll('.utterances li').length === 1);
  const undo = page.locator('[data-focus="edit.undo"]');
  await undo.click();
  await text(page, '.route-tab', /General Chat/);
  assert.ok((await page.evaluate(() => window.gap)) < 3000, 'gap of the page’s thread');
  await page.context().close();
});

test('with the whole model, only what changed is read again', async () => {
  const page = await open();
  await deepen(page);
  await add(page, 'first new example');
  await text(page, '.change', /whole model/, 120000);
  await add(page, 'second new example');
  await page.waitForFunction(() => !document.querySelector('.change [role=progressbar]'), null, { timeout: 60000 });
  assert.match(await text(page, '.change', /Compiled in \d/, 60000), /Read by the whole model/);
  await text(page, '#load', /whole model is here/);
  await page.context().close();
});
