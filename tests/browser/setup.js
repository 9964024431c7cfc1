// Chromium by playwright-core and Firefox by puppeteer-core (WebDriver BiDi) behind the few calls that both have.
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { serve } from '../serve.js';

export const site = fileURLToPath(new URL('../../build/site/', import.meta.url));
export const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'";

export const browsers = {
  async chromium() {
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
    return {
      name: 'chromium', close: () => browser.close(),
      /** A page with a storage of its own. */
      async page() {
        const context = await browser.newContext();
        const page = await context.newPage();
        return wrap(page, () => context.close());
      },
    };
  },
  async firefox() {
    const browser = await puppeteer.launch({
      browser: 'firefox', executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr', headless: true,
      extraPrefsFirefox: { 'app.update.auto': false, 'datareporting.policy.dataSubmissionEnabled': false, 'network.captive-portal-service.enabled': false },
    });
    return {
      name: 'firefox', close: () => browser.close(),
      async page() {
        const context = await browser.createBrowserContext();
        const page = await context.newPage();
        return wrap(page, () => context.close());
      },
    };
  },
};

function wrap(page, close) {
  const problems = [], requests = [];
  const note = (text) => /favicon/.test(text) || problems.push(text);
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => note(String(error.message)));
  page.on('console', (message) => message.type() === 'error' && note(message.text()));
  return {
    problems, requests, close,
    goto: (url) => page.goto(url),
    reload: () => page.reload(),
    evaluate: (fn, argument) => page.evaluate(fn, argument),
    type: (selector, text) => page.type(selector, text),
    click: (selector) => page.click(selector),
    async until(fn, argument, ms = 60000) {
      for (const end = Date.now() + ms; Date.now() < end; ) {
        const value = await page.evaluate(fn, argument);
        if (value) return value;
        await new Promise((wait) => setTimeout(wait, 50));
      }
      throw new Error(`never true in the page: ${fn}`);
    },
  };
}

/** The site, with an empty page at /blank/POLICY under that content security policy, and other answers by hook. */
export async function start({ hook } = {}) {
  return serve(site, {
    before(request, response) {
      if (hook?.(request, response)) return true;
      const [, policy] = /^\/blank\/(.*)$/.exec(request.url) ?? [];
      if (policy === undefined) return false;
      response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': decodeURIComponent(policy) });
      response.end('<!doctype html><title>blank</title><p>blank');
      return true;
    },
  });
}
export const blank = (server, policy = STRICT) => `${server.url}blank/${encodeURIComponent(policy)}`;
