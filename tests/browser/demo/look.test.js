// What everybody meets: accessibility rules, the keyboard alone, languages, directions, sizes, the policy, and reproducible bytes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { deepen, part, setup, site, text, type } from './harness.js';

const it = setup();
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const root = fileURLToPath(new URL('../../../', import.meta.url));
const languages = fileURLToPath(new URL('../../../web/demo/lang/', import.meta.url));
const PARTS = [['edit', '#route-add'], ['measure', '#measure-go'], ['own', '#own-url'], ['report', '#report-body']];

for (const colorScheme of ['light', 'dark'])
  test(`axe finds nothing, ${colorScheme}`, async () => {
    const page = await it.open({ colorScheme, bypassCSP: true, reducedMotion: 'reduce' });
    await type(page, 'Write a sad poem about the autumn rain');
    await text(page, '#verdict', /%/);
    for (const [id, selector] of PARTS) await part(page, id, selector);
    await page.fill('#route-add', 'one more');
    await page.press('#route-add', 'Enter');
    await text(page, '.change', /Compiled in/, 60000);
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`));
    assert.deepEqual(found, []);
    await page.context().close();
  });

test('the keyboard alone reaches and works every part', async () => {
  const page = await it.open({ shallow: true, init: () => localStorage.setItem('smartrouter.model', 'yes') });
  await deepen(page);
  for (const [id, selector] of PARTS) await part(page, id, selector);
  await page.evaluate(() => scrollTo(0, 0));
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter'); // the skip link
  await page.waitForFunction(() => document.activeElement.id === 'prompt');
  await page.keyboard.type('debug this segfault');
  await page.keyboard.press('Enter');
  await text(page, '#announce', /goes to Deep Engineering/);
  const wanted = new Set(['#send', '#map-box', '.route-tab', '#route-label', '#route-add', '#measure-go', '#own-url', '#own-pick']);
  for (let i = 0; i < 140 && wanted.size; i++) {
    await page.keyboard.press('Tab');
    const { hit, visible } = await page.evaluate((all) => {
      const e = document.activeElement, style = getComputedStyle(e);
      return { hit: all.filter((s) => e.matches(s)), visible: style.outlineStyle !== 'none' || e.id === 'prompt' };
    }, [...wanted]);
    for (const s of hit) {
      wanted.delete(s);
      assert.ok(visible, `${s} shows its focus`);
    }
  }
  assert.deepEqual([...wanted], []);
  await page.context().close();
});

test('no part is wider than the window: 320 pixels, right to left, wide, large text', async () => {
  for (const viewport of [{ width: 320, height: 640 }, { width: 1920, height: 1000 }])
    for (const dir of ['ltr', 'rtl']) {
      const page = await it.open({ viewport, shallow: true });
      await page.evaluate((d) => (document.documentElement.dir = d), dir);
      await type(page, 'Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung '.repeat(3));
      for (const [id, selector] of PARTS) await part(page, id, selector);
      const wide = await page.evaluate(() => {
        document.documentElement.style.fontSize = '20px';
        return [document.documentElement.scrollWidth, innerWidth];
      });
      assert.ok(wide[0] <= wide[1], `${viewport.width} ${dir}: ${wide}`);
      await page.context().close();
    }
});

test('on a phone the head is one line, and no word of the interface is broken, in any language', async () => {
  const page = await it.open({ viewport: { width: 360, height: 740 }, shallow: true });
  await type(page, 'Write a sad poem about the autumn rain');
  await text(page, '#verdict', /%/);
  for (const code of readdirSync(languages).map((name) => name.slice(0, 2))) {
    await page.selectOption('#language', code);
    await page.waitForFunction((c) => document.documentElement.lang === c, code);
    await text(page, '.exit .tag', /./);
    const broken = await page.evaluate(() => {
      const words = [];
      const range = document.createRange();
      for (const part of document.querySelectorAll('.brand, .parts, .exits, .segmented, .bar-label, .button')) {
        const walk = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        while (walk.nextNode())
          for (const { index, 0: word } of walk.currentNode.data.matchAll(/[^\s-]+/g)) {
            range.setStart(walk.currentNode, index);
            range.setEnd(walk.currentNode, index + word.length);
            if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) words.push(word);
          }
      }
      return words;
    });
    assert.deepEqual(broken, [], code);
    const [brand, prefs] = await page.evaluate(() => ['.brand', '.prefs'].map((s) => document.querySelector(s).getBoundingClientRect().top));
    assert.ok(Math.abs(brand - prefs) < 20, `${code}: the head is on two lines`);
  }
  await page.context().close();
});

test('all eight languages are complete, and the page changes to each', async () => {
  const read = (name) => JSON.parse(readFileSync(join(languages, name), 'utf8'));
  const names = readdirSync(languages).sort();
  assert.deepEqual(names, ['de', 'en', 'es', 'fr', 'it', 'nl', 'pl', 'pt'].map((l) => `${l}.json`));
  const stem = (key) => key.replace(/\.(one|few|many|other)$/, '');
  const english = new Set(Object.keys(read('en.json')).map(stem));
  for (const name of names) {
    const texts = read(name);
    assert.deepEqual(new Set(Object.keys(texts).map(stem)), english, name);
    for (const [key, value] of Object.entries(texts)) {
      assert.ok(value.trim(), `${name} ${key}`);
      const wanted = read('en.json')[key];
      if (wanted) assert.deepEqual(value.match(/\{\w+\}/g)?.sort(), wanted.match(/\{\w+\}/g)?.sort(), `${name} ${key}`);
    }
  }
  const page = await it.open({ shallow: true, locale: 'de-AT' });
  assert.match(await text(page, '#try-title', /./), /Welches Modell/);
  for (const [id, selector] of PARTS) await part(page, id, selector);
  for (const name of names) {
    const code = name.slice(0, 2);
    await page.selectOption('#language', code);
    await text(page, '#edit-title', new RegExp(read(name)['edit.title'].replace(/[?.]/g, '.')));
    await text(page, '#measure-go', new RegExp(read(name)['measure.go']));
    assert.equal(await page.evaluate(() => document.documentElement.lang), code);
  }
  const used = new Set();
  for (const file of readdirSync(join(languages, '..')).filter((f) => /\.(js|html)$/.test(f)))
    for (const [, key] of readFileSync(join(languages, '..', file), 'utf8').matchAll(/(?:\bt\(|data-t(?:-[\w-]+)?=|button\(|field\('\w+', )['"]([a-z]+(?:\.[\w-]+)*)['"]/g)) used.add(key);
  for (const key of used) assert.ok(english.has(key), `${key} is not in en.json`);
  await page.context().close();
});

test('the policy is strict, nothing breaks it, and the page talks to its own host alone', async () => {
  const page = await it.open();
  const policy = await page.getAttribute('meta[http-equiv=Content-Security-Policy]', 'content');
  assert.match(policy, /default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';/);
  assert.match(policy, /connect-src 'self';/);
  assert.ok(!/unsafe-inline|unsafe-eval'(?<!wasm-unsafe-eval')|\*/.test(policy));
  await page.evaluate(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`)));
  await type(page, 'hello');
  for (const [id, selector] of PARTS) await part(page, id, selector);
  await page.click('#measure-go');
  await page.waitForTimeout(500);
  assert.ok(page.asked.every((url) => url.startsWith(it.server.url)), page.asked.join());
  assert.deepEqual(page.problems, []);
  const html = readFileSync(join(site, 'index.html'), 'utf8');
  assert.ok(!/ style=|<script>| on\w+=/.test(html));
  await page.context().close();
});

test('works from a subfolder', async () => {
  it.hook = (request) => {
    request.url = request.url.replace(/^\/some\/folder\//, '/');
    return false;
  };
  const page = await it.open({ shallow: true });
  await page.goto(`${it.server.url}some/folder/`);
  await page.waitForFunction(() => document.documentElement.dataset.ready);
  await deepen(page);
  await type(page, 'Write a sad poem about the autumn rain');
  await text(page, '#verdict', /Creative Writing/);
  assert.ok(page.asked.filter((url) => /\.(js|wasm|srr)$/.test(url)).some((url) => /some\/folder/.test(url)));
  assert.deepEqual(page.problems, []);
  it.hook = null;
  await page.context().close();
});

test('prints without what is of no use on paper, and stays still where that is wished', async () => {
  const page = await it.open({ reducedMotion: 'reduce' });
  await type(page, 'Write a sad poem');
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.bar-fill')).transitionDuration.split(',')[0]), '0s');
  await page.emulateMedia({ media: 'print' });
  for (const selector of ['.parts', '#send', '#examples', '#own']) assert.equal(await page.isVisible(selector), false, selector);
  assert.equal(await page.isVisible('#verdict'), true);
  await page.context().close();
});

test('the site’s bytes are the same each time', () => {
  const hash = (folder) => {
    const all = createHash('sha256');
    const walk = (at) => readdirSync(at, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)).forEach((e) =>
      e.isDirectory() ? walk(join(at, e.name)) : all.update(e.name).update(readFileSync(join(at, e.name))));
    walk(folder);
    return all.digest('hex');
  };
  const again = `build/site-again-${process.pid}`;
  try {
    execFileSync(process.execPath, [join(root, 'web/demo/stage.mjs'), process.env.SR_CONFIG ?? 'release', again]);
    assert.equal(hash(join(root, again)), hash(site));
  } finally {
    execFileSync('rm', ['-rf', join(root, again)]);
  }
});
