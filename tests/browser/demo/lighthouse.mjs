// Lighthouse against the staged site: node tests/browser/demo/lighthouse.mjs [FOLDER OF node_modules]
// Not part of the tests: it measures the machine, too. `make lighthouse` installs it and runs this.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { serve } from '../../serve.js';
import { site } from '../setup.js';

const from = createRequire(resolve(process.argv[2] ?? '.', 'here.js'));
const { default: lighthouse } = await import(pathToFileURL(from.resolve('lighthouse')));
const PORT = 9333;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--remote-debugging-port=${PORT}`],
});
const server = await serve(site);
let low = false;
try {
  // Fast 4G, as the issue asks: 9 Mbit/s, 60 ms, no slower processor.
  const throttling = { rttMs: 60, throughputKbps: 9000, requestLatencyMs: 60, downloadThroughputKbps: 9000, uploadThroughputKbps: 1500, cpuSlowdownMultiplier: 1 };
  for (const formFactor of ['desktop', 'mobile']) {
    const screenEmulation = formFactor === 'desktop' ? { mobile: false, width: 1350, height: 940, deviceScaleFactor: 1, disabled: false } : undefined;
    const { lhr } = await lighthouse(server.url, { port: PORT, output: 'json', logLevel: 'error' }, {
      extends: 'lighthouse:default', settings: { formFactor, screenEmulation, throttlingMethod: 'devtools', throttling },
    });
    const scores = Object.entries(lhr.categories).map(([id, c]) => [id, Math.round(c.score * 100)]);
    low ||= scores.some(([, score]) => score < 95);
    const value = (id) => lhr.audits[id].displayValue;
    console.log(`${formFactor}: ${scores.map((s) => s.join(' ')).join(', ')}; LCP ${value('largest-contentful-paint')}, TBT ${value('total-blocking-time')}, CLS ${value('cumulative-layout-shift')}`);
    for (const { title, score, scoreDisplayMode, displayValue } of Object.values(lhr.audits))
      if (score !== null && score < 0.9 && scoreDisplayMode !== 'informative') console.log(`  ${score} ${title} ${displayValue ?? ''}`);
  }
} finally {
  await browser.close();
  await server.close();
}
process.exitCode = low ? 1 : 0;
