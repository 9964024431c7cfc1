// Native against WebAssembly: node tests/fuzz/wasm.mjs [CONFIG [SECONDS [SEED]]]. The same random route files, damaged assets, models,
// tables and prompts go through native code (scalar and AVX2 kernels, by tests/fuzz/answers.c) and through the three modules as they
// are shipped: the same bytes compiled, the same refusals, pieces, decisions and reasons, floats bit for bit. A finding is left in
// build/fuzz/; put it into tests/hostile/wasm/ with the fix: what lies there is tried first.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { encoder } from '../../web/embedders/encoder.js';
import { SmartRouter } from '../../web/smartrouter.js';
import { Wasm } from '../../web/wasm.js';

const [config = 'release', seconds = '60', seed = '1'] = process.argv.slice(2);
const root = new URL('../../', import.meta.url);
const path = (relative) => fileURLToPath(new URL(relative, root));
const read = (relative) => new Uint8Array(readFileSync(path(relative)));
const VARIANTS = ['scalar', 'simd128', 'relaxed'];
const wasmFolder = new URL(`build/${config}/wasm/`, root);
const GOLDEN = ['srr', 'srm', 'srt'].map((kind) => `tests/golden/v0.1.0/small.${kind}`);
const SHIPPED = ['build/routes/five-routes.srr', 'build/model/smartrouter-model.srm', 'build/routes/five-routes.srt'];
const NONE = new Uint8Array(0);

let state = Number(seed) >>> 0;
/** 0 to below n: mulberry32. */
function random(n) {
  let t = (state = (state + 0x6d2b79f5) | 0);
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
}
const pick = (list) => list[random(list.length)];
const some = (least, most, make) => Array.from({ length: least + random(most - least + 1) }, make);

/** tests/fuzz/answers.c: one frame, one line. */
function native() {
  const child = spawn(path(`build/${config}/tests/answers`), { stdio: ['pipe', 'pipe', 'inherit'] });
  let rest = '';
  const waiting = [];
  child.stdout.setEncoding('latin1').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) waiting.shift().resolve(line);
  });
  child.on('close', (code, signal) => waiting.splice(0).forEach(({ reject }) => reject(new Error(`answers ended: ${signal ?? code}`))));
  const ask = (letter, bytes = NONE) =>
    new Promise((resolve, reject) => {
      const head = Buffer.alloc(5);
      head.write(letter);
      head.writeUInt32LE(bytes.length, 1);
      waiting.push({ resolve, reject });
      child.stdin.write(Buffer.concat([head, bytes]));
    });
  return {
    ask,
    end: () => child.stdin.end(),
    async open([asset, model, table]) {
      await Promise.all([ask('A', asset), ask('M', model), ask('T', table)]);
      return ask('O');
    },
    answers: (text) => ask('P', text),
  };
}

/** One of the shipped modules, speaking the same language. */
class Module {
  static async open(variant) {
    const self = new Module();
    self.wasm = await Wasm.open({ wasm: wasmFolder, variant, full: true });
    return self;
  }
  name(code) {
    return this.wasm.string(this.wasm.x.error_name(Math.min(code, 0)));
  }
  close() {
    const { x } = this.wasm;
    for (const what of ['pipeline', 'encoder', 'router', 'model', 'table']) {
      if (this[what] > 0) x[`${what}_close`](this[what]);
      this[what] = 0;
    }
    for (const at of this.blocks ?? []) this.wasm.free(at);
    this.blocks = [];
  }
  open([asset, model, table]) {
    this.close();
    const { x } = this.wasm;
    const put = (bytes) => this.blocks[this.blocks.push(this.wasm.put(bytes)) - 1];
    const steps = [['router', () => x.router_open(put(asset), asset.length)]];
    if (model.length) steps.push(['model', () => x.model_open(put(model), model.length)]);
    if (table.length) steps.push(['table', () => x.table_open(put(table), table.length)]);
    steps.push(['pipeline', () => x.pipeline_open(this.router, this.model, this.table)]);
    if (model.length) steps.push(['encoder', () => x.encoder_open(this.model)]);
    for (const [what, open] of steps) if ((this[what] = open()) < 0) return this.name(this[what]);
    return 'SR_OK';
  }
  answers(text) {
    const { wasm } = this;
    const { x } = wasm;
    const at = wasm.put(text), ids = wasm.alloc(512 * 4);
    let said = '';
    if (this.encoder) {
      const n = x.encoder_start(this.encoder, at, text.length);
      x.encoder_pieces(this.encoder, ids, 512);
      said = [n, ...wasm.u32.subarray(ids >> 2, (ids >> 2) + n)].join(' ');
    }
    const code = x.pipeline_start(this.pipeline, at, text.length);
    said += ` start ${this.name(code)}`;
    for (let exit = 0; code >= 0 && exit < x.router_exit_count(this.router); exit++) {
      if (x.pipeline_usable(this.pipeline, exit) <= 0) continue;
      const e = x.pipeline_answer(this.pipeline, exit, 5);
      said += ` | ${exit} ${this.name(e)}`;
      if (e >= 0) said += this.decision();
    }
    wasm.free(at);
    wasm.free(ids);
    return said;
  }
  decision() {
    const u = this.wasm.u32.subarray(this.router >> 2, (this.router + 2800) >> 2);
    const hex = (word) => word.toString(16).padStart(8, '0');
    let said = ` ${[...u.subarray(0, 4), ...[4, 5, 6].map((i) => hex(u[i]))].join(' ')}`;
    for (let i = 0; i < u[7]; i++) said += ` ${u[12 + 2 * i]}:${hex(u[13 + 2 * i])}`;
    for (let i = 0; i < u[8]; i++) said += ` ${u[524 + 3 * i]}=${hex(u[526 + 3 * i])}`;
    return said;
  }
}

// ---- what is tried --------------------------------------------------------------------------------------------------

const RANGES = [[0x20, 0x7e], [0x20, 0x7e], [0xa0, 0x24f], [0x300, 0x345], [0x370, 0x3ff], [0x400, 0x52f], [0x1e00, 0x1fff], [0x2000, 0x206f],
  [0x1100, 0x11ff], [0x3040, 0x30ff], [0x4e00, 0x9fff], [0xac00, 0xd7a3], [0xd800, 0xdfff], [0xfe00, 0xffff], [0x1f300, 0x1faff], [0, 0x1f]];
const WORDS = ['abc', 'ab', 'a', 'cd', 'de', 'bcd', 'query: ', 'é', 'é'.normalize('NFD'), 'poem', 'Gedicht', 'код', 'ποίημα', 'debug', 'x²'];
const character = () => {
  const [low, high] = pick(RANGES);
  return String.fromCodePoint(low + random(high - low + 1));
};
function words() {
  const parts = some(1, 12, () => (random(3) ? pick(WORDS) : random(5) ? character() : pick(WORDS).repeat(random(200))));
  return parts.join(pick(['', ' ', ' ', '  ', '\n']));
}
/** Text, now and then with bytes that are none. */
function prompt() {
  const bytes = Buffer.from(words());
  if (!random(5)) for (let i = 0; i < 4 && bytes.length; i++) bytes[random(bytes.length)] = random(256);
  return new Uint8Array(bytes);
}

function routeFile() {
  const text = () => words().toWellFormed(); // half a surrogate pair is no JSON text to the native program; a page's TextEncoder replaces it
  const utterance = () => text().trim() || 'a';
  const routes = some(1, 5, (_, i) => ({
    id: `r${i}`,
    label: text(),
    utterances: [...new Set(some(1, 6, utterance))],
    ...(!random(3) && { description: text() }),
    ...(!random(3) && { threshold: random(2000) / 1000 - 1 }),
    ...(!random(3) && { margin: random(1000) / 1000 }),
    ...(!random(4) && { negatives: [`not ${utterance()}`] }),
  }));
  return { name: text(), fallback: pick(routes).id, routes, aggregation: pick(['max', 'mean']), ...(!random(3) && { low_margin: 'uncertain' }) };
}

const folder = mkdtempSync(`${tmpdir()}/smartrouter-`);
const main = native();
await main.ask('K', Buffer.from('scalar'));
const fast = native();
await fast.ask('K', Buffer.from('avx2'));
const modules = await Promise.all(VARIANTS.map(Module.open));
const small = await encoder({ model: read(GOLDEN[1]), wasm: wasmFolder, worker: false });
const golden = GOLDEN.map(read), shipped = SHIPPED.map(read);
const counts = { 'route files compiled': 0, 'files opened': 0, 'of them refused': 0, prompts: 0 };

function found(what, error) {
  const finding = `build/fuzz/wasm.finding-${seed}.json`;
  writeFileSync(path(finding), JSON.stringify(what));
  return new Error(`native and WebAssembly differ (${finding}): ${error.message}`, { cause: error });
}

/** The asset, or null when both refuse. */
async function compiled(file) {
  const [source, asset] = [`${folder}/routes.json`, `${folder}/routes.srr`];
  writeFileSync(source, JSON.stringify(file));
  rmSync(asset, { force: true });
  let theirs = null, ours = null, said;
  try {
    execFileSync(path(`build/${config}/smartrouter`), ['compile', source, '-o', asset, '--model', path(GOLDEN[1])], { stdio: 'pipe' });
    theirs = new Uint8Array(readFileSync(asset));
  } catch (error) {
    said = String(error.stderr);
  }
  try {
    ours = await SmartRouter.compile(file, small, { wasm: wasmFolder, variant: pick(VARIANTS) });
  } catch (error) {
    said = `${said ?? ''} ${error.stack}`;
  }
  counts['route files compiled']++;
  if (ours && theirs ? Buffer.compare(ours, theirs) : ours !== theirs)
    throw found({ routes: file }, new Error(`compile: ${said ?? 'other bytes'}`));
  return ours;
}

async function damaged(file) {
  const copy = Uint8Array.from(file);
  for (let i = random(6); i > 0; i--) copy[random(random(2) ? copy.length : Math.min(copy.length, 2048))] = random(3) ? random(256) : 0;
  return random(4) ? new Uint8Array(Buffer.from(await main.ask('R', copy), 'hex')) : copy;
}

async function same(files, prompts) {
  let trying;
  try {
    const opened = await Promise.all([main, fast, ...modules].map((side) => side.open(files)));
    counts['files opened']++;
    if (opened[0] === 'SR_E_LIMIT' && opened[1] === opened[0]) return; // more memory than answers.c gives: an honest model of that size
    assert.deepEqual(opened.slice(1), opened.slice(1).map(() => opened[0]), 'opening');
    if (opened[0] !== 'SR_OK') return void counts['of them refused']++;
    for (trying of prompts) {
      const said = await Promise.all([main, fast, ...modules].map((side) => side.answers(trying)));
      counts.prompts++;
      for (const other of said.slice(1)) assert.equal(other, said[0]);
    }
  } catch (error) {
    const base64 = (bytes) => Buffer.from(bytes).toString('base64');
    throw found({ files: files.map(base64), prompts: (trying ? [trying] : []).map(base64) }, error);
  }
}

/** A file is a path in this repository, or its bytes in base64. */
const stored = (file) => (/^(tests|build)\//.test(file) ? read(file) : new Uint8Array(Buffer.from(file, 'base64')));

const row = path('build/fuzz/wasm.row'); // of the README's table (make fuzz-readme)
mkdirSync(path('build/fuzz'), { recursive: true });
rmSync(row, { force: true });
const until = performance.now() + Number(seconds) * 1000;
try {
  for (const name of readdirSync(path('tests/hostile/wasm'))) {
    const { routes, files, prompts } = JSON.parse(readFileSync(path(`tests/hostile/wasm/${name}`), 'utf8'));
    if (routes) await compiled(routes);
    else await same(files.map(stored), prompts.map((text) => new Uint8Array(Buffer.from(text, 'base64'))));
  }
  await same(shipped, [new TextEncoder().encode('debug my code')]); // the encoder as shipped is slow without SIMD: once
  for (let round = 0; performance.now() < until; round++) {
    const asset = random(4) ? golden[0] : ((await compiled(routeFile())) ?? golden[0]);
    const whole = asset !== golden[0];
    const files = [asset, golden[1], whole ? NONE : golden[2]];
    if (random(3)) {
      const which = random(whole ? 2 : 3);
      files[which] = await damaged(files[which]);
    }
    await same(files, some(1, 8, prompt));
    if (round % 20 === 0) await same([shipped[0], NONE, shipped[2]], some(50, 50, prompt)); // the table alone, which is quick
  }
} finally {
  main.end();
  fast.end();
  modules.forEach((module) => module.close());
  small.dispose();
  rmSync(folder, { recursive: true, force: true });
}
const grouped = (n) => Math.round(n).toLocaleString('en');
const held = Object.entries(counts).map(([what, n]) => `${grouped(n)} ${what}`).join(', ');
const { user, system } = process.cpuUsage(); // of this process; the native ones come on top
writeFileSync(row, `| wasm | Native code against the three WebAssembly modules, bit for bit | ${grouped(seconds)} | ${grouped((user + system) / 1e6)} | ${held} | none |\n`);
console.log(`build/fuzz/wasm: ${seconds} s, seed ${seed}, ${held}, no finding`);
