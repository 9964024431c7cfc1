import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { root, variants, wasm } from './setup.js';

const size = (...files) => gzipSync(Buffer.concat(files.map((f) => readFileSync(f))), { level: 9 }).length;

test('the matcher: JavaScript at most 6 KB gzipped, WebAssembly at most 24 KB', (t) => {
  // All that a page fetches to decide vectors: smartrouter.js and what it imports statically.
  const js = size(...['smartrouter.js', 'matcher.js', 'wasm.js'].map((f) => new URL(`web/${f}`, root)));
  t.diagnostic(`matcher JavaScript: ${js} bytes gzipped`);
  assert.ok(js <= 6 * 1024, `${js} bytes`);
  for (const variant of variants) {
    const bytes = size(new URL(`matcher-${variant}.wasm`, wasm));
    t.diagnostic(`matcher-${variant}.wasm: ${bytes} bytes gzipped`);
    assert.ok(bytes <= 24 * 1024, `${variant}: ${bytes} bytes`);
  }
});

test('smartrouter.js imports nothing else statically', () => {
  for (const file of ['smartrouter.js', 'matcher.js', 'wasm.js']) {
    const source = readFileSync(new URL(`web/${file}`, root), 'utf8');
    for (const [, from] of source.matchAll(/^(?:import|export) .*from '(.*)'/gm)) assert.match(from, /^\.\/(matcher|wasm)\.js$/);
  }
});
