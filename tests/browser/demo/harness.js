// The staged site, a server that can misbehave, and a page that tells what it asked for.
import { readFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { serve } from '../../serve.js';
import { browsers, site } from '../setup.js';
import { chromium } from 'playwright-core';

export { site };
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

/** What the site has: a piece table answers before the model is asked for; without one the model comes first. */
export const use = JSON.parse(readFileSync(new URL('site.json', `file://${site}`))).use;

/** One Chromium and one server for a test file. it.open(options) gives a page of its own that can answer
 * (shallow: as a visitor finds it); it.hook answers requests itself. */
export function setup({ args = [], path = '' } = {}) {
  const it = { hook: null, pages: [] };
  before(async () => {
    it.server = await serve(site, { before: (request, response) => it.hook?.(request, response) });
    it.url = it.server.url + path;
    it.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...ARGS, ...args] });
  });
  after(async () => {
    await it.browser?.close();
    await it.server?.close();
  });
  it.open = async ({ hash = '', init, wait = true, shallow = false, context: more, viewport = { width: 1280, height: 900 }, ...options } = {}) => {
    const context = more ?? (await it.browser.newContext({ viewport, locale: 'en', serviceWorkers: 'block', ...options }));
    const page = await context.newPage();
    page.problems = [];
    page.asked = [];
    page.on('pageerror', (error) => page.problems.push(String(error.stack ?? error)));
    page.on('console', (message) => /error|warning/.test(message.type()) && !/blocked by Playwright/.test(message.text()) && page.problems.push(message.text()));
    page.on('request', (request) => page.asked.push(request.url()));
    if (init) await page.addInitScript(init);
    await page.goto(it.url + hash);
    if (wait) await page.waitForFunction(() => document.documentElement.dataset.ready);
    if (wait && !shallow && !use.table) await deepen(page);
    return page;
  };
  return it;
}
export const type = async (page, text) => {
  await page.click('#prompt');
  await page.keyboard.type(text);
};
/** The text of an element, once it matches. */
export async function text(page, selector, pattern, ms = 30000) {
  const end = Date.now() + ms;
  for (let seen = null; ; await new Promise((go) => setTimeout(go, 40))) {
    seen = await page.evaluate((s) => document.querySelector(s)?.innerText ?? null, selector);
    if (seen !== null && pattern.test(seen)) return seen;
    if (Date.now() > end) throw new Error(`${selector}: ${JSON.stringify(seen)} never matched ${pattern}`);
  }
}
/** The verdict, once the deepest answer stands. */
export async function verdict(page) {
  await page.waitForSelector('#answer[data-settled=yes]');
  return page.innerText('#verdict');
}
/** Brings a part near, so that its code loads. */
export async function part(page, id, selector) {
  await page.evaluate((i) => document.getElementById(i).scrollIntoView({ behavior: 'instant' }), id);
  await page.waitForSelector(selector, { state: 'attached' });
}
/** The whole model, if there is one to ask for. */
export async function deepen(page) {
  // A page that was told to fetch the model by itself may take the button away first; what counts is waited for below.
  if (await page.locator('#deepen').count()) await page.click('#deepen', { timeout: 5000 }).catch(() => {});
  await page.waitForFunction(() => !document.querySelector('#deepen') && /\(\d+.*MB\)/.test(document.querySelector('#load').innerText) && !document.querySelector('.exit:not(.ready)'));
}
export const launchFirefox = () => browsers.firefox();
