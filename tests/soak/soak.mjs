// Long and hard use: node --expose-gc tests/soak/soak.mjs [CONFIG [SIZE [PARTS]]], size 1 is the whole, 0.001 what `make test` runs; parts
// by their names below, "jsonl,loads". Fails when memory grows, an answer is lost or differs. What a part held when it last ran at a size of
// 0.01 and more stays in build/soak/; all of it is put together in build/soak.md.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { http } from '../../web/embedders/http.js';
import { SmartRouter } from '../../web/smartrouter.js';
import { pageCalls, pageDeaths } from './page.mjs';

const [config = 'release', given = '1', wanted = ''] = process.argv.slice(2);
const size = Number(given);
if (!(size > 0 && size <= 1)) throw new Error(`soak: a size above 0 and up to 1 is wanted, not ${given}`);
const root = new URL('../../', import.meta.url);
const read = (path) => new Uint8Array(readFileSync(new URL(path, root)));
const files = { asset: read('build/routes/five-routes.srr'), table: read('build/routes/five-routes.srt'), wasm: new URL(`build/${config}/wasm/`, root) };
const model = read('build/model/smartrouter-model.srm');
const whole = (count, least = 1) => Math.max(least, Math.round(count * size));
const MB = 1e6;
const WORDS = 'write fix plan cook derive draw book read move sum poem code pod tax rain train Gedicht Fehler viaje recette'.split(' ');
const prompt = (i) => `${WORDS[i % 20]} ${WORDS[(i / 20 | 0) % 20]} ${WORDS[(i * 7) % 20]} ${i % 997}`;
const parts = [];
const records = new URL('build/soak/', root);
mkdirSync(records, { recursive: true });

async function part(key, name, count, work) {
  parts.push(key);
  if (wanted && !wanted.split(',').includes(key)) return;
  const began = performance.now();
  const { held, early, late, allowed } = await work(count);
  const seconds = (performance.now() - began) / 1000;
  if (early !== undefined) assert.ok(late <= early + allowed, `${name}: memory grew from ${(early / MB).toFixed(1)} to ${(late / MB).toFixed(1)} MB`);
  const memory = early === undefined ? '–' : `${(early / MB).toFixed(1)} → ${(late / MB).toFixed(1)}`;
  if (size >= 0.01) writeFileSync(new URL(`${key}@${size}.row`, records), `| ${name} | ${size} | ${count.toLocaleString('en')} | ${seconds.toFixed(1)} | ${memory} | ${held} |\n`);
  console.log(`soak: ${name}: ${count}, ${seconds.toFixed(1)} s, ${held}`);
}

/** Works through count steps; memory is looked at after a fifth and at the end, allowed to differ by so much. */
async function flat(count, step, allowed) {
  let early;
  for (let i = 0; i < count; i++) {
    await step(i);
    if (i === Math.floor(count / 5)) early = await heap();
  }
  return { early, late: await heap(), allowed };
}
/** What JavaScript and WebAssembly hold. A memory of WebAssembly goes in a later round than the object that held it. */
async function heap() {
  for (let round = 0; round < 3; round++) {
    gc();
    await new Promise((later) => setTimeout(later, 20));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function jsonl(count) {
  const child = spawn(fileURLToPath(new URL(`build/${config}/smartrouter`, root)), ['route', '--jsonl', '--exit', 'table', '--why', '0']);
  const resident = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) * 1024;
  let answers = 0, early, late, rest = '';
  const wrong = [];
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith(`{"n":${answers},`) || !line.includes('"decision":{"route":"')) wrong.push(line);
      if (++answers === Math.ceil(count / 5)) early = resident();
      if (answers === count) late = resident();
    }
  });
  for (let i = 0; i < count; ) {
    let block = '';
    for (const end = Math.min(i + 5000, count); i < end; i++) block += `{"n":${i},"text":"${prompt(i)}"}\n`;
    if (!child.stdin.write(block)) await once(child.stdin, 'drain');
  }
  const ended = once(child, 'close');
  while (answers < count && child.exitCode === null) await new Promise((wait) => setTimeout(wait, 20)); // late is measured while it lives
  child.stdin.end();
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual([answers, wrong.length], [count, 0], `lost or out of order: ${wrong[0]}`);
  return { held: 'none lost, all in order', early, late, allowed: 4 * MB };
}

async function calls(count, worker) {
  const router = await SmartRouter.load({ ...files, ...(worker && { model }), autoload: false, previewLayer: -1 });
  if (worker) await router.load();
  assert.equal(router.inWorker, worker);
  const seen = new Map();
  const measure = await flat(count, async (i) => {
    const { route } = await router.route(prompt(i % 100));
    if (i < 100) seen.set(i, route);
    else assert.equal(route, seen.get(i % 100));
  }, MB);
  router.dispose();
  return { held: 'the same answers to the end', ...measure };
}

async function loads(count) {
  return {
    held: 'each answered',
    ...(await flat(count, async (i) => {
      const router = await SmartRouter.load(files);
      assert.ok((await router.route(prompt(i))).route);
      router.dispose();
    }, 4 * MB)),
  };
}

async function together(count) {
  const routers = await Promise.all(Array.from({ length: count }, () => SmartRouter.load(files)));
  const answers = await Promise.all(routers.map((router) => router.route('why does my pod keep restarting')));
  assert.deepEqual([...new Set(answers.map((a) => a.route))], ['deep-engineering']);
  routers.forEach((router) => router.dispose());
  return { held: 'all of one mind' };
}

async function deaths(count) {
  let workers = 0;
  const started = () => workers++;
  process.on('worker', started);
  const deep = { asset: files.asset, wasm: files.wasm, model, autoload: false }; // no table: each call is the worker's
  const router = await SmartRouter.load({ ...deep, worker: new URL('./mortal-worker.js', import.meta.url) });
  await router.load();
  const steady = await SmartRouter.load(deep);
  await steady.load();
  const expected = [];
  for (let i = 0; i < 20; i++) expected.push((await steady.route(prompt(i))).route);
  steady.dispose();
  for (let i = 0; i < count; i++) assert.equal((await router.route(prompt(i % 20))).route, expected[i % 20], `call ${i}`);
  router.dispose();
  process.off('worker', started);
  assert.ok(workers > 2, 'no worker died');
  return { held: `${workers - 2} workers died, no answer lost` };
}

// A vector follows from its text; one request in two is answered as a bad server answers.
const vectorOf = (text) => Array.from(createHash('sha256').update(text).digest(), (byte) => byte - 127.5);
const FAULTS = {
  slow: (response) => setTimeout(() => response.end('{}'), 400), reset: (response) => response.destroy(),
  busy: (response) => response.writeHead(503).end('busy'), page: (response) => response.end('<html>502'),
  half: (response, text) => response.end(text.slice(0, text.length / 2)), few: (response) => response.end('{"data":[]}'),
  nan: (response) => response.end('{"data":[{"embedding":[null,1]}]}'), zeros: (response) => response.end('\0'.repeat(1000)),
};

async function badServer(count) {
  let requests = 0, faults = 0, right = 0, refused = 0;
  const kinds = Object.values(FAULTS);
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const answer = JSON.stringify({ data: JSON.parse(body).input.map((text, index) => ({ index, embedding: vectorOf(text) })) });
    if (requests++ % 2) return void response.end(answer);
    kinds[faults++ % kinds.length](response, answer);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const embed = http({ url: `http://127.0.0.1:${server.address().port}/v1`, model: 'm', timeoutMs: 300, retries: 1 });
  const measure = await flat(count, async (i) => {
    try {
      assert.deepEqual([...(await embed(prompt(i)))], vectorOf(prompt(i)));
      right++;
    } catch (error) {
      assert.match(error.code ?? '', /^SR_/, String(error.stack));
      refused++;
    }
  }, 4 * MB);
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  assert.equal(right + refused, count);
  return { held: `${faults} faults; ${right} right, ${refused} refused with a code, none wrong`, ...measure };
}

await part('jsonl', 'JSONL through the native program, piece table', whole(10_000_000), jsonl);
await part('calls', 'route() on the page’s thread, piece table', whole(1_000_000, 1000), (n) => calls(n, false));
await part('worker', 'route() in a worker, encoder', whole(20_000, 100), (n) => calls(n, true));
await part('loads', 'load and dispose', whole(1000, 20), loads);
await part('together', 'instances at once', 50, together);
await part('deaths', 'route() while the worker dies every 100 calls', whole(5000, 220), deaths);
const texts = Array.from({ length: 20 }, (_, i) => prompt(i * 37));
const [folder, quick] = [fileURLToPath(root), whole(1_000_000, 1000)];
await part('page', 'route() in a page of Chromium, piece table, a worker beside it', quick, pageCalls(folder, config, texts));
await part('page-deaths', 'route() in a page whose worker dies every 100 calls', whole(1000, 220), pageDeaths(folder, config, texts));
await part('http', 'http embedder under a bad server', whole(2000, 20), badServer);

const kept = readdirSync(records).sort().reverse(); // the larger sizes first
const rows = parts.flatMap((key) => kept.filter((file) => file.startsWith(`${key}@`)).map((file) => readFileSync(new URL(file, records), 'utf8')));
const table = `| what | size | how many | seconds | memory after a fifth → at the end, MB | outcome |\n| --- | ---: | ---: | ---: | ---: | --- |\n${rows.join('')}`;
writeFileSync(new URL('build/soak.md', root), `${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.versions.node}; size 1 is the whole.\n\n${table}`);
