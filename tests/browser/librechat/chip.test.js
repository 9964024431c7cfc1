// What is seen and heard.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { wait } from './harness.js';
import { inBrowsers } from './suite.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const menu = (at, fn) => at.run(`(${fn})(document.querySelector('smartrouter-menu').shadowRoot)`);
const focusedItem = (at) => menu(at, (root) => root.activeElement?.textContent.replace('✓', ''));
const live = (at) => menu(at, (root) => root.querySelector('[role=status]').textContent);

inBrowsers('the chip', (test, browser) => {
  test('stands in the tool row before the spacer, 36 px high, and moves nothing', {}, async (at) => {
    const measure = () => at.run(() => {
      const form = document.querySelector('form'), host = document.querySelector('smartrouter-chip');
      const box = host.getBoundingClientRect();
      return { form: form.getBoundingClientRect().height, chip: box.height, next: host.nextElementSibling.className, top: box.top };
    });
    const before = await measure();
    await at.write('debug this');
    await at.decided('debug this');
    const after = await measure();
    assert.deepEqual(after, before);
    assert.equal(after.chip, 36);
    assert.match(after.next, /mx-auto/);
    await at.run(() => (document.querySelector('smartrouter-chip').hidden = true));
    assert.equal((await at.run(() => document.querySelector('form').getBoundingClientRect().height)), before.form);
  });
  test('takes its labels from the operator\'s specs', {}, async (at) => {
    await at.write('prove it');
    await at.decided('prove it');
    assert.equal(await at.label(), 'Logic & Science');
    assert.equal(await at.run(() => document.querySelector('smartrouter-chip').shadowRoot.querySelector('button').getAttribute('aria-label')),
      'Automatic model choice: Logic & Science. Goes to Logic & Science (sure)');
  });
  test('shows tone by shape as well as by colour', {}, async (at) => {
    const shapes = [];
    for (const text of ['debug this', 'rather debug this', 'maybe debug this']) {
      await at.write(text);
      await at.decided(text);
      shapes.push(await at.run(() => document.querySelector('smartrouter-chip').shadowRoot.querySelector('path').getAttribute('d')));
    }
    assert.equal(new Set(shapes).size, 3);
  });
  test('is empty again after the send, which no event tells', {}, async (at) => {
    await at.send('debug this');
    await at.newChat();
    await at.until(() => window.smartrouter.now().view.label === 'Auto');
  });
  test('comes back into a new composer, once', {}, async (at) => {
    for (let i = 0; i < 5; i++) {
      await at.run(() => window.contract.setView({ page: 'agents', side: true }));
      await at.until(() => !document.querySelector('form'));
      await at.run((mount) => window.contract.setView({ page: 'chat', side: true, mount }), i);
      await at.until(() => document.querySelector('smartrouter-chip')?.isConnected);
    }
    assert.equal(await at.run(() => document.querySelectorAll('smartrouter-chip').length), 1);
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('opens its menu by keyboard, walks it by arrows, leaves it by Escape to where it was', {}, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await at.run(() => document.querySelector('smartrouter-chip').shadowRoot.querySelector('button').focus());
    await at.page.keyboard.press('Enter');
    assert.equal(await focusedItem(at), 'Auto');
    await at.page.keyboard.press('ArrowDown');
    assert.match(await focusedItem(at), /^General Chat/);
    await at.page.keyboard.press('End');
    assert.match(await focusedItem(at), /Always/);
    await at.page.keyboard.press('ArrowDown');
    assert.equal(await focusedItem(at), 'Auto');
    await at.page.keyboard.press('l');
    assert.match(await focusedItem(at), /^Logic/);
    await at.page.keyboard.press('Escape');
    assert.deepEqual(await at.run(() => [document.activeElement.tagName, document.querySelector('smartrouter-chip').shadowRoot.querySelector('button').getAttribute('aria-expanded')]), ['SMARTROUTER-CHIP', 'false']);
    await at.page.keyboard.press('Enter');
    await at.page.keyboard.press('w');
    await at.page.keyboard.press('Enter');
    assert.ok(await menu(at, (root) => root.querySelector('[role=dialog]').textContent.includes('fix this <b>segfault</b>')), 'text is text');
    await at.page.keyboard.press('Escape');
    await at.page.keyboard.press('c');
    await at.page.keyboard.press('Enter');
    assert.equal(await at.label(), 'Creative Writing');
    await at.quiet(0, 50);
  });
  test('marks its choices as radio items', {}, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await at.chip();
    const roles = await menu(at, (root) => [...root.querySelectorAll('[role^=menuitem]')].map((item) => [item.getAttribute('role'), item.getAttribute('aria-checked')].join()));
    assert.deepEqual(roles, ['menuitemradio,true', ...Array(5).fill('menuitemradio,false'), 'menuitemradio,false', 'menuitem,', 'menuitem,']);
  });
  test('keeps the focus in the text when it is pressed and closed by pointer', {}, async (at) => {
    await at.write('debug this');
    const box = await at.run(() => {
      const { left, top, width, height } = document.querySelector('smartrouter-chip').getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    });
    await at.page.mouse.click(...box);
    await at.until(() => Boolean(document.querySelector('smartrouter-menu')?.shadowRoot.querySelector('[role=menu]')));
    await at.page.mouse.click(...box);
    await at.until(() => !document.querySelector('smartrouter-menu').shadowRoot.querySelector('[role=menu]'));
    assert.equal(await at.run(() => document.activeElement.id), 'prompt-textarea');
    await at.page.mouse.click(...box);
    await at.page.mouse.click(700, 40);
    assert.equal(await menu(at, (root) => root.querySelectorAll('[role=menu]').length), 0);
    await at.quiet(0, 50);
  });
  test('speaks once the typing pauses, and only when it changes', {}, async (at) => {
    await at.run(() => {
      window.heard = [];
      new MutationObserver(() => window.heard.push(document.querySelector('smartrouter-menu').shadowRoot.querySelector('[role=status]').textContent))
        .observe((document.querySelector('smartrouter-menu') || document.body.appendChild(document.createElement('i'))).shadowRoot?.querySelector('[role=status]') || document.body, { childList: true, subtree: true });
    });
    for (const text of ['d', 'de', 'deb', 'debu', 'debug', 'debug t', 'debug th']) {
      await at.write(text);
      await wait(30);
    }
    await at.until(() => document.querySelector('smartrouter-menu')?.shadowRoot.querySelector('[role=status]').textContent);
    assert.equal(await live(at), 'Goes to Deep Engineering (sure)');
    await at.enter();
    await at.posted(1);
    await at.until(() => document.querySelector('smartrouter-menu').shadowRoot.querySelector('[role=status]').textContent === 'Sent to Deep Engineering');
  });
  test('follows the page\'s language, and falls back to English', {}, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    for (const [lang, words] of [['de-DE', 'Geht an Deep Engineering (sicher)'], ['pt-BR', 'Vai para Deep Engineering (certo)'], ['pl', 'Trafi do'], ['ar', 'Goes to Deep Engineering (sure)'], ['fr', 'Va à']]) {
      await at.run((value) => (document.documentElement.lang = value), lang);
      await at.until((wanted) => window.smartrouter.now().view.hint.startsWith(wanted), words);
    }
  });
  test('mirrors where the page is written from right to left', {}, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await at.run(() => (document.documentElement.dir = 'rtl'));
    const places = await at.run(() => {
      const form = document.querySelector('form').getBoundingClientRect();
      const root = document.querySelector('smartrouter-chip').shadowRoot;
      const [icon, label] = [root.querySelector('svg'), root.querySelector('span')].map((node) => node.getBoundingClientRect().left);
      return { mirrored: icon > label, right: document.querySelector('smartrouter-chip').getBoundingClientRect().right > form.left + form.width / 2 };
    });
    assert.deepEqual(places, { mirrored: true, right: true });
    await at.chip();
    assert.equal(await menu(at, (root) => root.querySelector('.menu').dir), 'rtl');
  });
  test('fits a phone: one row, the menu within the screen, the send button in reach', { viewport: { width: 390, height: 700 } }, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await at.chip();
    const fits = await at.run(() => {
      const menu = document.querySelector('smartrouter-menu').shadowRoot.querySelector('.menu').getBoundingClientRect();
      const send = document.getElementById('send-button').getBoundingClientRect();
      return [menu.left >= 0, menu.right <= innerWidth, menu.top >= 0, menu.bottom <= innerHeight, send.right <= innerWidth, document.scrollingElement.scrollWidth <= innerWidth];
    });
    assert.deepEqual(fits, Array(6).fill(true));
  });
  test('asks for nothing inline: it runs under a strict policy', { csp: "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; worker-src 'self'; img-src data:; base-uri 'self'" }, async (at) => {
    await at.run(() => {
      window.blocked = [];
      document.addEventListener('securitypolicyviolation', (event) => window.blocked.push(event.violatedDirective + ' ' + event.sourceFile));
    });
    await at.write('debug this');
    await at.decided('debug this');
    await at.chip();
    assert.equal(await at.run(() => document.querySelector('smartrouter-chip').getBoundingClientRect().height), 36);
    assert.deepEqual((await at.run(() => window.blocked)).filter((one) => /smartrouter/.test(one)), []);
    await at.item('Auto');
    await at.page.focus('#prompt-textarea');
    await at.enter();
    await at.posted(1);
    assert.equal(at.posts[0].spec, 'deep-engineering');
  });
  if (browser === 'chromium')
    for (const theme of ['light', 'dark'])
      test(`passes axe, ${theme}: chip, menu, why`, {}, async (at) => {
        await at.run((dark) => document.documentElement.classList.toggle('dark', dark), theme === 'dark');
        await at.write('rather debug this');
        await at.decided('rather debug this');
        await at.run(axe);
        const audit = async () => {
          const { violations } = await at.run(() => window.axe.run({ include: [['smartrouter-chip'], ['smartrouter-menu']] }, { rules: { region: { enabled: false } } }));
          assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html + node.failureSummary)}`), []);
        };
        await at.chip();
        await wait(200); // past its appearance
        await audit();
        await at.item('Why this route?');
        await wait(200);
        await audit();
      });
});
