// One small face for two browsers: Chromium by playwright-core, Firefox by puppeteer-core over WebDriver BiDi.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { serve } from './server.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const packed = `${root}build/librechat/smartrouter/`;
export const double = readFileSync(new URL('double.js', import.meta.url), 'utf8');
export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const WORDS = {
  'general-chat': 'hello there, how are you',
  'creative-writing': 'write a poem about rain',
  'deep-engineering': 'debug this segfault',
  'logic-science': 'prove that the integral exists',
  'agents-tools': 'what is the weather now',
};

if (!existsSync(packed)) execFileSync('make', ['-s', 'librechat'], { cwd: root, stdio: 'inherit' });

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

async function chromium() {
  const { chromium: engine } = await import('playwright-core');
  const browser = await engine.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  return {
    name: 'Chromium',
    async page({ init, viewport, colorScheme, reducedMotion } = {}) {
      const context = await browser.newContext({ viewport: viewport || { width: 1000, height: 700 }, colorScheme, reducedMotion, hasTouch: Boolean(viewport && viewport.width < 600) });
      if (init) await context.addInitScript(init);
      const page = await context.newPage();
      page.shut = () => context.close();
      return page;
    },
    close: () => browser.close(),
  };
}
async function firefox() {
  const { default: puppeteer } = await import('puppeteer-core');
  const browser = await puppeteer.launch({ browser: 'firefox', protocol: 'webDriverBiDi', executablePath: '/usr/bin/firefox-esr', headless: true });
  return {
    name: 'Firefox',
    async page({ init, viewport } = {}) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.setViewport(viewport || { width: 1000, height: 700 });
      if (init) await page.evaluateOnNewDocument(init);
      page.shut = () => context.close();
      return page;
    },
    close: () => browser.close(),
  };
}
export const browsers = { chromium, firefox };

/** A page on the contract page. options: server changes, { faults, double, config, real, path, viewport, storage } */
export async function visit(browser, options = {}) {
  const { faults = {}, double: given = {}, config, real = false, path = '/c/new', viewport, storage = {}, ready = true, ...change } = options;
  const replace = { ...change.replace };
  if (!real) replace['smartrouter.js'] = double;
  if (config) replace['smartrouter.json'] = typeof config === 'string' ? config : JSON.stringify(config);
  const server = await serve(packed, { ...change, replace });
  const init = `window.presetFaults = ${JSON.stringify(faults)}; window.double = ${JSON.stringify(given)};
    try { if (!sessionStorage.getItem('begun')) { sessionStorage.setItem('begun', '1');
      for (const [key, value] of Object.entries(${JSON.stringify(storage)})) localStorage.setItem(key, value); } } catch {}`;
  const page = await browser.page({ init, viewport, ...options.context });
  await page.goto(server.url + path);
  const at = new Visit(page, server);
  await at.until(() => Boolean(document.getElementById('prompt-textarea')));
  if (ready) await at.until(() => window.smartrouter?.now?.().router === 'ready' && window.smartrouter.now().view?.hidden === false);
  return at;
}

export class Visit {
  constructor(page, server) {
    this.page = page;
    this.server = server;
  }
  run(fn, value) {
    return this.page.evaluate(fn, value);
  }
  async until(fn, value, limit = 6000) {
    const end = Date.now() + limit;
    for (;;) {
      const got = await this.page.evaluate(fn, value).catch(() => null);
      if (got) return got;
      if (Date.now() > end) throw new Error(`never: ${fn}; ${JSON.stringify(await this.page.evaluate(() => ({ ...window.smartrouter, config: 0 })).catch(() => 0))}`);
      await wait(15);
    }
  }
  get posts() {
    return this.server.posts;
  }
  /** As typing does it, at once: the native setter and an input event. */
  write(text) {
    return this.run((value) => {
      const area = document.getElementById('prompt-textarea');
      area.focus();
      Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(area, value);
      area.dispatchEvent(new Event('input', { bubbles: true }));
    }, text);
  }
  value() {
    return this.run(() => document.getElementById('prompt-textarea')?.value);
  }
  /** Until the decision for the text is there. */
  decided(text) {
    return this.until((value) => {
      const now = window.smartrouter.now();
      return now.decision && document.getElementById('prompt-textarea').value === value && now.decision.exit === 1 && now.view.label;
    }, text);
  }
  enter() {
    return this.page.keyboard.press('Enter');
  }
  async idle() {
    await this.until(() => !window.contract.isSubmitting && document.getElementById('prompt-textarea').value === '');
  }
  /** Writes, sends by Enter, waits for the answer; gives the one POST. */
  async send(text, { settle = true } = {}) {
    const before = this.posts.length;
    await this.write(text);
    if (settle) await this.decided(text);
    await this.enter();
    await this.posted(before + 1);
    await this.idle();
    return this.posts[before];
  }
  async posted(count, limit = 6000) {
    const end = Date.now() + limit;
    while (this.posts.length < count && Date.now() < end) await wait(10);
    if (this.posts.length !== count) throw new Error(`${this.posts.length} requests, not ${count}: ${JSON.stringify(await this.run(() => window.smartrouter?.last || null))}`);
  }
  /** Nothing more comes. */
  async quiet(count, ms = 250) {
    await wait(ms);
    if (this.posts.length !== count) throw new Error(`${this.posts.length} requests, not ${count}`);
  }
  view() {
    return this.run(() => window.smartrouter.now().view);
  }
  last() {
    return this.run(() => window.smartrouter.last);
  }
  label() {
    return this.run(() => document.querySelector('smartrouter-chip')?.shadowRoot.querySelector('span').textContent);
  }
  chip() {
    return this.run(() => document.querySelector('smartrouter-chip').shadowRoot.querySelector('button').click());
  }
  /** Picks a menu item by its words. */
  async pick(words) {
    await this.chip();
    await this.item(words);
  }
  item(words) {
    return this.run((wanted) => {
      const items = [...document.querySelector('smartrouter-menu').shadowRoot.querySelectorAll('[role^=menuitem], .back')];
      const found = items.find((one) => one.textContent.includes(wanted));
      if (!found) throw new Error(`no ${wanted} in ${items.map((one) => one.textContent)}`);
      found.click();
    }, words);
  }
  newChat() {
    return this.page.click('[data-testid="new-chat-button"]');
  }
  async done() {
    const errors = await this.run(() => [window.pageErrors, window.smartrouter?.error]).catch(() => [[], null]);
    await this.page.shut();
    await this.server.close();
    return errors;
  }
}
