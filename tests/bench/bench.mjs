// make bench: node bench.mjs CONFIG [quick] [only=match,encode,models,route,scale,start]. Measures everything in one run; writes build/bench.json
// and build/bench.md, and prints the tables. What cannot be measured is a record with `skipped`: the reason.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { ours } from './encoding.mjs';
import { jsonl, makeVectors, nativeEncoding, nativeMatching, nativeScaling, program } from './native.mjs';
import { nativePublished } from './published.mjs';
import { withRatios, tables } from './report.mjs';
import { reason } from './measure.mjs';
import { warmStart } from './start.mjs';
import { serve } from '../serve.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
process.chdir(root);
const words = process.argv.slice(2);
const config = words.find((w) => !/^(quick|only=.*)$/.test(w)) ?? 'release';
const quick = words.includes('quick');
const only = words.find((w) => w.startsWith('only='))?.slice(5).split(',');
const want = (part) => !only || only.includes(part);

const start = performance.now();
const version = JSON.parse(readFileSync('web/package.json', 'utf8')).version;
const records = [];
const record = (r) => {
  if (/^smartrouter/.test(r.engine)) r.version ??= version;
  records.push(r);
};
const say = (text) => process.stderr.write(`${((performance.now() - start) / 1000).toFixed(0).padStart(5)} s  ${text}\n`);

// ---- where: Node in a process of its own for each part, Chromium in a page of its own
const node = {
  name: `Node ${process.versions.node}`,
  run: (part, options) =>
    new Promise((done) => {
      const plan = { part, options, runtime: node.name, config };
      const child = spawn(process.execPath, ['--no-warnings', 'tests/bench/run.mjs', JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'pipe'] });
      let last = '';
      createInterface({ input: child.stdout }).on('line', (line) => line[0] === '{' && record(JSON.parse(line)));
      createInterface({ input: child.stderr }).on('line', (line) => say(`${node.name}: ${(last = line)}`));
      child.on('close', (code) => {
        if (code) record({ bench: part, engine: 'smartrouter', runtime: node.name, skipped: `broke off: ${last.slice(0, 160)}` });
        done();
      });
    }),
  close() {},
};

const CHROMIUM = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
};

async function inChromium() {
  const server = await serve(root, {
    before(request, response) {
      // isolated, so that the clock is fine
      response.setHeader('cross-origin-opener-policy', 'same-origin');
      response.setHeader('cross-origin-embedder-policy', 'require-corp');
      if (request.url !== '/blank') return false;
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>bench</title>');
      return true;
    },
  });
  const browser = await chromium.launch(CHROMIUM);
  const name = `Chromium ${browser.version().split('.')[0]}`;
  return {
    name,
    async run(part, options) {
      const context = await browser.newContext();
      const page = await context.newPage();
      try {
        await page.exposeFunction('benchRecord', record);
        await page.exposeFunction('benchSay', (text) => say(`${name}: ${text}`));
        await page.goto(`${server.url}blank`);
        await page.evaluate(async ({ plan }) => {
          const root = `${location.origin}/`;
          const { run } = await import(`${root}tests/bench/run.mjs`);
          await run(plan, {
            root, record: window.benchRecord, say: window.benchSay,
            async bytes(path) {
              const response = await fetch(new URL(path, root));
              if (!response.ok) throw new Error(`${path}: status ${response.status}`);
              return new Uint8Array(await response.arrayBuffer());
            },
          });
        }, { plan: { part, options, runtime: name, config } });
      } catch (error) {
        record({ bench: part, engine: 'smartrouter', runtime: name, skipped: `broke off: ${reason(error)}` });
      } finally {
        await context.close();
      }
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

// ---- what is measured
function prompts(count) {
  const dev = '../shared/data/prompts/dev.jsonl';
  const lines = (path) => readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line).text);
  if (existsSync(dev)) return { prompts: lines(dev).slice(0, count), source: 'dev.jsonl' };
  const files = readdirSync('routes/corpus', { recursive: true }).filter((f) => f.endsWith('.jsonl')).sort().map((f) => lines(`routes/corpus/${f}`));
  const mixed = Array.from({ length: count }, (_, i) => files[i % files.length][Math.floor(i / files.length)]).filter(Boolean);
  return { prompts: mixed, source: 'routes/corpus, files in turn' };
}

const ms = quick ? 50 : 400;
const tokens = [16, 32, 128];
const compared = [[80, 384, 4], [80, 4096, 4], ...(quick ? [] : [[10000, 384, 40]]), [100000, 384, quick ? 2 : 60]];
const growth = [384, 4096].flatMap((dim) => (quick ? [10, 1000] : [10, 100, 1000, 10000, 100000]).map((rows) => [rows, dim]));

mkdirSync('build/bench', { recursive: true });
say('made-up vectors');
makeVectors(config, [...(want('match') ? compared.map(([rows, dim]) => [rows, dim, true]) : []), ...(want('scale') ? growth : [])]);

const machine = {
  bench: 'machine', cpu: cpus()[0].model, cores: cpus().length, memory_bytes: totalmem(), load: loadavg()[0], node: process.versions.node,
  smartrouter: version, commit: (() => {
    try {
      return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    } catch {
      return '';
    }
  })(), quick,
};
const runtimes = [node];
try {
  runtimes.push(await inChromium());
} catch (error) {
  record({ bench: 'match', engine: 'smartrouter', runtime: 'Chromium', skipped: reason(error) });
}
const native = { config, record, say };
const asked = prompts(quick ? 12 : 300);
for (const runtime of runtimes) {
  if (want('match')) for (const [rows, dim, buildSeconds] of compared) await runtime.run('matching', { rows, dim, buildSeconds, ms });
  if (want('encode')) await runtime.run('encoding', { tokens, ms, quick });
  if (want('models')) await runtime.run('published', { ms, quick });
  if (want('route')) await runtime.run('routing', { ...asked, prompts: asked.prompts.slice(0, runtime === node ? 100 : 300), ms });
  if (want('scale')) await runtime.run('scaling', { sizes: growth, ms: ms / 4 });
  await runtime.close();
}
if (want('start'))
  await warmStart({ site: 'build/site', ...CHROMIUM, record, say, visits: quick ? 5 : 21 })
    .catch((error) => record({ bench: 'warm start', engine: 'smartrouter', runtime: 'Chromium', skipped: reason(error) }));
if (want('match')) for (const [rows, dim, buildSeconds] of compared) await nativeMatching(native, { rows, dim, buildSeconds, ms });
// our tokenizer, to have texts of a number of pieces
const reading = (model) => ours({ wasm: new URL(`../../build/${config}/wasm/`, import.meta.url), bytes: async (path) => new Uint8Array(readFileSync(path)) }, 'simd128', model);
if (want('models')) await nativePublished(native, { ms, quick, program: (args) => program(config, args), textOf: async (model, n) => (await reading(model)).textOf(n) });
if (want('encode')) {
  const reader = await reading('build/model/parity.srm');
  await nativeEncoding(native, { tokens, ms, textOf: (n) => reader.textOf(n), layers: reader.layers });
}
if (want('scale')) {
  nativeScaling(native, { sizes: growth, ms: ms / 4 });
  await jsonl(native, { ...asked, quick });
}

machine.load_after = loadavg()[0];
machine.seconds = Math.round((performance.now() - start) / 1000);
const all = withRatios([machine, ...records]);
writeFileSync('build/bench.json', `[\n${all.map((r) => JSON.stringify(r)).join(',\n')}\n]\n`);
const text = tables(all);
writeFileSync('build/bench.md', text);
console.log(text);
process.exit(0);
