import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SmartRouter } from '../../web/smartrouter.js';
import { random, sampleAsset } from './build-asset.js';
import { failure, variants, wasm } from './setup.js';

const sample = sampleAsset({ dim: 48 });
const load = (variant, more) => SmartRouter.load({ asset: sample.bytes, wasm, variant, ...more });
const cosine = (a, b) => a.reduce((s, x, i) => s + x * b[i], 0) / Math.hypot(...a) / Math.hypot(...b);

for (const variant of variants) {
  describe(`matcher, ${variant}`, () => {
    test('says which build runs', async () => {
      const router = await load(variant);
      assert.equal(router.variant, variant);
      assert.match(router.version, /^\d+\.\d+\.\d+$/);
      router.dispose();
    });

    test('describes routes and exits', async () => {
      const router = await load(variant);
      assert.deepEqual(router.routes.map((r) => r.id), ['general', 'writing', 'code', 'science', 'tools']);
      assert.deepEqual(router.routes[1], {
        id: 'writing', label: 'Route writing', description: 'About writing', target: 'spec-writing', utterances: 6, fallback: false,
      });
      assert.equal(router.fallback, 'general');
      const [exit] = router.exits;
      assert.equal(exit.embedder, 'external');
      assert.equal(exit.dim, 48);
      assert.equal(exit.model, 'test-embedder');
      assert.ok(Math.abs(exit.thresholds[0].tau - 0.1) < 1e-6);
      assert.match(router.content, /^[0-9a-f]{16}$/);
      assert.equal(router.utterances().length, 30);
      assert.deepEqual(router.utterances()[17], { text: 'code 5 – ä', route: 'code', negative: true });
      router.dispose();
    });

    test('agrees with double-precision cosine', async () => {
      const router = await load(variant);
      const next = random(3);
      for (let n = 0; n < 50; n++) {
        const query = Array.from({ length: 48 }, () => next() * 2 - 1);
        const decision = router.match(query);
        for (const { route, score } of decision.scores) {
          const { utterances } = sample.routes.find((r) => r.id === route);
          const similar = (negative) => Math.max(-1, ...utterances.filter((u) => u.negative === negative).map((u) => cosine(u.rows[0], query)));
          let expected = similar(false);
          if (utterances.some((u) => u.negative)) expected -= 0.5 * Math.max(0, similar(true) - expected);
          assert.ok(Math.abs(score - expected) < 0.02, `${route}: ${score}, not ${expected}`);
        }
        const sorted = decision.scores.map((s) => s.score);
        assert.deepEqual(sorted, sorted.toSorted?.((a, b) => b - a) ?? [...sorted].sort((a, b) => b - a));
        assert.equal(decision.scores[0].route, decision.nearest);
        assert.ok(decision.confidence >= 0 && decision.confidence <= 1);
        assert.ok(decision.why.length === 5 && decision.why[0].similarity >= decision.why[4].similarity);
      }
      router.dispose();
    });

    test('takes Float32Array and plain arrays of any length but zero', async () => {
      const router = await load(variant);
      const at = sample.centres[3].at[0];
      const a = router.match(Float32Array.from(at));
      assert.equal(a.route, 'science');
      const b = router.match(at.map((x) => x * 1000));
      assert.equal(b.route, 'science');
      assert.ok(Math.abs(a.score - b.score) < 1e-5);
      router.dispose();
    });

    test('gives each bad vector its own error', async () => {
      const router = await load(variant);
      const good = sample.noise();
      const code = async (v, exit) => (await failure(() => router.match(v, exit))).code;
      assert.equal(await code(good.slice(1)), 'SR_E_DIM');
      assert.equal(await code([]), 'SR_E_DIM');
      assert.equal(await code(good.with?.(3, NaN) ?? [NaN, ...good.slice(1)]), 'SR_E_NAN');
      assert.equal(await code([Infinity, ...good.slice(1)]), 'SR_E_NAN');
      assert.equal(await code(good.map(() => 0)), 'SR_E_ZERO');
      assert.equal(await code(good, 7), 'SR_E_EXIT');
      for (const bad of [undefined, null, 'text', 3, {}, new DataView(new ArrayBuffer(8))])
        assert.ok((await failure(() => router.match(bad))) instanceof TypeError);
      assert.ok((await failure(() => router.match(good, -1))) instanceof TypeError);
      assert.equal(router.match(sample.centres[2].at[0]).route, 'code', 'and goes on working');
      router.dispose();
    });

    test('explains a decision, the fallback and the margin too', async () => {
      const router = await load(variant);
      const sure = router.explain(router.match(sample.centres[1].at[0]));
      assert.equal(sure.rule, 'nearest');
      assert.match(sure.sentence, /^Route writing is nearest \(0\.\d\d, ahead by 0\.\d\d\), most like “writing \d – ä”\.$/);
      assert.equal(sure.routes[0].route, 'writing');
      assert.ok(Math.abs(sure.routes[0].threshold - 0.1) < 1e-6);
      assert.ok(sure.routes[0].why.length > 0);
      const strict = sampleAsset();
      router.dispose();
      const other = await load(variant, { asset: strict.bytes });
      const away = strict.routes[1].utterances[0].rows[0].map((x) => -x);
      const decision = other.match(away);
      if (decision.belowThreshold) assert.equal(other.explain(decision).rule, 'threshold');
      assert.ok((await failure(() => other.explain({}))) instanceof TypeError);
      other.dispose();
    });

    test('rows of f32 and of int8 agree', async () => {
      const f32 = await load(variant, { asset: sampleAsset({ dim: 48, exits: [{ f32: true }] }).bytes });
      const i8 = await load(variant);
      const a = f32.match(sample.centres[4].at[0]), b = i8.match(sample.centres[4].at[0]);
      assert.equal(f32.exits[0].rows, 'f32');
      assert.equal(a.route, b.route);
      assert.ok(Math.abs(a.score - b.score) < 0.02);
      f32.dispose();
      i8.dispose();
    });

    test('many routers and many matches leave memory where it was', async () => {
      const router = await load(variant);
      const query = Float32Array.from(sample.noise());
      router.match(query);
      const other = await load(variant);
      const before = process.memoryUsage().arrayBuffers;
      for (let n = 0; n < 20000; n++) router.match(query);
      assert.ok(process.memoryUsage().arrayBuffers < before + 4e6);
      other.dispose();
      router.dispose();
    });

    test('10,000 utterances of 1024 dimensions grow the memory, and stale views are never used', async () => {
      const big = sampleAsset({ dim: 1024, count: 200 });
      const router = await load(variant, { asset: big.bytes });
      const d = router.match(big.centres[0].at[0]);
      assert.equal(d.route, 'general');
      assert.equal(router.utterances().length, 1000);
      router.dispose();
    });

    test('a prefix of an asset never opens, nor does one with a flipped byte', async () => {
      const { bytes } = sampleAsset({ dim: 8, count: 1 });
      const { Matcher } = await import('../../web/matcher.js');
      const { Wasm } = await import('../../web/wasm.js');
      const instance = await Wasm.open({ wasm, variant });
      for (let n = 0; n < bytes.length; n += 1) {
        const error = await failure(() => new Matcher(instance, bytes.slice(0, n)));
        assert.match(error.code, /^SR_E_(TRUNCATED|MAGIC|CHECKSUM|FORMAT)$/, `${n} bytes`);
      }
      for (let n = 0; n < bytes.length; n += 5) {
        const damaged = bytes.slice();
        damaged[n] ^= 1 << (n % 8);
        const error = await failure(() => new Matcher(instance, damaged));
        assert.match(error.code, /^SR_E_(MAGIC|VERSION|CHECKSUM|FORMAT|TRUNCATED)$/, `byte ${n}`);
      }
    });

    test('disposing twice is safe, using it afterwards is an error', async () => {
      const router = await load(variant);
      router.dispose();
      router.dispose();
      assert.equal((await failure(() => router.match(sample.noise()))).code, 'SR_DISPOSED');
      assert.equal((await failure(() => router.preview('x'))).code, 'SR_DISPOSED');
      assert.equal((await failure(router.route('x'))).name, 'AbortError');
    });
  });
}

test('all builds here give the same numbers, bit for bit', async () => {
  const routers = await Promise.all(variants.map((variant) => load(variant)));
  const next = random(11);
  for (let n = 0; n < 200; n++) {
    const query = Array.from({ length: 48 }, () => next() * 2 - 1);
    const [first, ...others] = routers.map((r) => ({ ...r.match(query), ms: 0 }));
    for (const other of others) assert.deepEqual(other, first);
  }
  for (const r of routers) r.dispose();
});

test('misuse of load() is a TypeError', async () => {
  const { bytes: asset } = sample;
  for (const options of [undefined, null, 'x', {}, { asset: 5 }, { asset, variant: 'avx' }, { asset, embedder: 3 },
    { asset, embedder: async () => [], model: 'x' }, { asset, onProgress: 1 }])
    assert.ok((await failure(SmartRouter.load(options))) instanceof TypeError, JSON.stringify(options));
  assert.throws(() => new SmartRouter(), TypeError);
});

test('a missing file, a build that is none, and an aborted load say so', async () => {
  const { bytes: asset } = sample;
  assert.equal((await failure(SmartRouter.load({ asset: '/nowhere/x.srr', wasm }))).code, 'SR_FETCH');
  assert.equal((await failure(SmartRouter.load({ asset, wasm: new Uint8Array(8) }))).code, 'SR_WASM');
  assert.equal((await failure(SmartRouter.load({ asset, wasm: '/nowhere/' }))).code, 'SR_FETCH');
  assert.equal((await failure(SmartRouter.load({ asset, wasm, signal: AbortSignal.abort() }))).name, 'AbortError');
});

test('without anything that reads text, text is refused and previews are null', async () => {
  const router = await load(variants[0]);
  assert.equal(router.preview('hello'), null);
  assert.equal(router.explain('hello'), null);
  assert.equal((await failure(router.route('hello'))).code, 'SR_NOT_READY');
  assert.ok((await failure(router.route(5))) instanceof TypeError);
  assert.ok((await failure(router.load())) instanceof TypeError);
  assert.equal(router.state.state, 'idle');
  assert.deepEqual(router.exportLearned(), { name: 'learned', routes: [] });
  router.dispose();
});
