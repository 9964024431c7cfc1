// Order of answers, overtaking, learning: with an embedder of our own, so that each text takes as long as the test wants.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SmartRouter } from '../../web/smartrouter.js';
import { sampleAsset } from './build-asset.js';
import { failure, variants, wasm } from './setup.js';

const sample = sampleAsset({ dim: 32 });
const at = (id) => sample.centres.find((c) => c.id === id).at[0];

/** Texts are 'route' or 'route ms'. */
function slow() {
  const calls = [];
  const embedder = (text, { signal } = {}) =>
    new Promise((resolve, reject) => {
      const [id, ms = '0'] = text.split(' ');
      const call = { text, aborted: false };
      calls.push(call);
      signal?.addEventListener('abort', () => ((call.aborted = true), reject(signal.reason)), { once: true });
      setTimeout(() => resolve(Float32Array.from(at(id))), Number(ms));
    });
  return { embedder, calls };
}
async function start() {
  const { embedder, calls } = slow();
  const router = await SmartRouter.load({ asset: sample.bytes, wasm, variant: variants.at(-1), embedder });
  return { router, calls };
}

describe('order', () => {
  test('newer text overtakes, and the older request says so', async () => {
    const { router, calls } = await start();
    const first = failure(router.route('code 50'));
    const second = failure(router.route('tools 50'));
    const third = router.route('science 5');
    assert.equal((await third).route, 'science');
    for (const error of [await first, await second]) {
      assert.equal(error.code, 'SR_OVERTAKEN');
      assert.equal(error.name, 'AbortError');
    }
    assert.deepEqual(calls.map((c) => [c.text, c.aborted]), [['code 50', true], ['tools 50', true], ['science 5', false]]);
    router.dispose();
  });

  test('a kept request is not overtaken, and answers never come out of order', async () => {
    const { router } = await start();
    const order = [];
    const note = (text, options) => router.route(text, options).then((d) => order.push(`${text} ${d.route}`), (e) => order.push(`${text} ${e.code}`));
    await Promise.all([
      note('code 40', { keep: true }), note('tools 1', { keep: true }), note('writing 30'), note('science 0', { keep: true }), note('general 0'),
    ]);
    assert.deepEqual(order, ['writing 30 SR_OVERTAKEN', 'code 40 code', 'tools 1 tools', 'science 0 science', 'general 0 general']);
    router.dispose();
  });

  test('500 requests at random times: each settles once, answers in order, the last one always', async () => {
    const { router } = await start();
    const ids = sample.centres.map((c) => c.id);
    const answered = [];
    const all = [];
    for (let n = 0; n < 500; n++) {
      const id = ids[n % 5];
      all.push(router.route(`${id} ${n % 7 ? 0 : 3}`, { keep: n % 50 === 0 }).then((d) => (assert.equal(d.route, id), answered.push(n)), (e) => assert.equal(e.code, 'SR_OVERTAKEN')));
      if (n % 11 === 0) await new Promise((go) => setTimeout(go, n % 3));
    }
    await Promise.all(all);
    assert.deepEqual(answered, [...answered].sort((a, b) => a - b));
    assert.equal(answered.at(-1), 499);
    for (let n = 0; n < 500; n += 50) assert.ok(answered.includes(n), `kept request ${n}`);
    router.dispose();
  });

  test('an aborted request rejects with the reason, at once, and lets the next one through', async () => {
    const { router } = await start();
    const abort = new AbortController();
    const reason = new Error('changed my mind');
    const first = failure(router.route('code 1000', { signal: abort.signal, keep: true }));
    const next = router.route('tools 0', { keep: true });
    abort.abort(reason);
    assert.equal(await first, reason);
    assert.equal((await next).route, 'tools');
    assert.equal(await failure(router.route('code 0', { signal: abort.signal })), reason);
    router.dispose();
  });

  test('an embedder that fails, or gives nonsense, fails that request alone', async () => {
    const answers = [Promise.reject(new Error('down')), 'text', [1, 2], Array(32).fill(NaN), Array(32).fill(0), at('code')];
    answers[0].catch(() => {});
    const router = await SmartRouter.load({ asset: sample.bytes, wasm, embedder: async () => answers.shift() });
    assert.equal((await failure(router.route('x'))).message, 'down');
    assert.ok((await failure(router.route('x'))) instanceof TypeError);
    for (const code of ['SR_E_DIM', 'SR_E_NAN', 'SR_E_ZERO']) assert.equal((await failure(router.route('x'))).code, code);
    assert.equal((await router.route('x')).route, 'code');
    router.dispose();
  });

  test('dispose rejects what is pending', async () => {
    const { router } = await start();
    const pending = failure(router.route('code 50', { keep: true }));
    const waiting = failure(router.route('code 50'));
    router.dispose();
    assert.equal((await pending).code, 'SR_DISPOSED');
    assert.equal((await waiting).code, 'SR_DISPOSED');
  });

  test('misuse is a TypeError', async () => {
    const { router } = await start();
    for (const text of [undefined, null, 5, {}, ['x']]) assert.ok((await failure(router.route(text))) instanceof TypeError);
    for (const options of [{ maxExit: -1 }, { budgetMs: NaN }]) assert.ok((await failure(router.route('code', options))) instanceof TypeError);
    router.dispose();
  });
});

for (const variant of variants)
  describe(`learning, ${variant}`, () => {
    const open = (embedder, more) => SmartRouter.load({ asset: sample.bytes, wasm, variant, embedder, ...more });
    const between = at('code').map((x, i) => x + at('science')[i] * 0.7);
    const embedder = async (text) => (text.startsWith('near') ? between : at(text));

    test('the next similar prompt goes right, unlike ones do not change, and undoing undoes it', async () => {
      const router = await open(embedder);
      const before = { near: await router.route('near 1'), tools: await router.route('tools') };
      assert.equal(before.near.route, 'code');
      const learned = await router.learn('near 1', 'science');
      assert.deepEqual({ ...learned, id: 0 }, { id: 0, text: 'near 1', route: 'science', weight: 1 });
      const after = await router.route('near 2');
      assert.equal(after.route, 'science');
      assert.deepEqual([after.why[0].text, after.why[0].learned], ['near 1', learned.id]);
      assert.deepEqual({ ...(await router.route('tools')), ms: 0 }, { ...before.tools, ms: 0 });
      assert.equal(router.unlearn(learned.id), true);
      assert.equal(router.unlearn(learned.id), false);
      assert.deepEqual({ ...(await router.route('near 2')), ms: 0 }, { ...before.near, ms: 0 });
      router.dispose();
    });

    test('goes out and comes in as a route file', async () => {
      const a = await open(embedder);
      await a.learn('near 1', 'science', { weight: 2 });
      await a.learn('near 1', 'tools'); // said again: the newer counts
      await a.learn('tools', 'science', { weight: 3 });
      const file = JSON.parse(JSON.stringify(a.exportLearned()));
      assert.deepEqual(file, {
        name: 'learned',
        routes: [
          { id: 'science', label: 'Route science', utterances: [{ text: 'tools', weight: 3 }] },
          { id: 'tools', label: 'Route tools', utterances: ['near 1'] },
        ],
      });
      const b = await open(embedder);
      let told = 0;
      b.addEventListener('learned', () => told++);
      file.routes.push({ id: 'unknown', label: '', utterances: ['x'] });
      assert.equal(await b.importLearned(file), 2);
      assert.deepEqual(b.exportLearned(), a.exportLearned());
      assert.equal((await b.route('near 3')).route, (await a.route('near 3')).route);
      assert.equal(told, 1, 'a page that had decided before knows to ask again');
      a.dispose();
      b.dispose();
    });

    test('is bounded: the oldest go first', async () => {
      const router = await open(embedder, { learnedLimit: 3 });
      for (let n = 0; n < 5; n++) await router.learn(`near ${n}`, 'science');
      assert.deepEqual(router.learned().map((u) => u.text), ['near 2', 'near 3', 'near 4']);
      router.dispose();
    });

    test('misuse', async () => {
      const router = await open(embedder);
      for (const args of [['', 'code'], ['code', 'code', { weight: 0 }], ['code', 'code', { weight: 9 }], [5, 'code']])
        assert.ok((await failure(router.learn(...args))) instanceof TypeError);
      assert.equal((await failure(router.learn('code', 'nowhere'))).code, 'SR_UNKNOWN_ROUTE');
      assert.ok((await failure(router.importLearned({}))) instanceof TypeError);
      router.dispose();
    });
  });
