import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SmartRouter } from '../../web/smartrouter.js';
import { encoder } from '../../web/embedders/encoder.js';
import { Host, SLICE_STEPS } from '../../web/host.js';
import { Matcher } from '../../web/matcher.js';
import { Wasm } from '../../web/wasm.js';
import { failure, variants, wasm } from './setup.js';
import { asset, load, model, plain, prompts, routes, totalBytes } from './text-setup.js';

for (const variant of variants) {
  describe(`text, ${variant}`, () => {
    test('routes prompts, and says what it read', async () => {
      const router = await load({ variant });
      await router.load();
      for (const [route, text] of Object.entries(prompts)) {
        const decision = await router.route(text);
        assert.equal(decision.route, route, text);
        assert.equal(decision.exit, router.exits.length - 1);
        assert.equal(decision.embedder, 'encoder');
        assert.ok(decision.pieces > 3 && decision.ms > 0);
        assert.equal(decision.why.length, 5);
      }
      router.dispose();
    });

    test('empty prompts are the fallback’s, and any text at all is answered', async () => {
      const router = await load({ variant, previewLayer: 1 });
      await router.load();
      for (const text of ['', ' \n\t', '\u00a0\u3000', '\ufeff']) {
        for (const decision of [await router.route(text), router.preview(text)])
          assert.deepEqual([decision.route, decision.score, decision.confidence, decision.why.length], ['chat', 0, 0, 0], JSON.stringify(text));
        assert.equal(router.explain(text).rule, 'empty');
      }
      assert.deepEqual(plain(await router.route('a\ud800b \udfff')), plain(await router.route('a\ufffdb \ufffd')));
      // maxExit 1: a scalar build takes seconds for 512 pieces through all layers
      for (const text of ['x'.repeat(1 << 20), 'two words '.repeat(1 << 17), '\0', '🙂'.repeat(50000), '\u0301'.repeat(1000)]) {
        const decision = await router.route(text, { maxExit: 1 });
        assert.ok(decision.confidence >= 0 && Number.isFinite(decision.score), text.slice(0, 9));
        assert.ok(router.preview(text));
      }
      router.dispose();
    });
  });
}

describe('text', () => {
  test('worker, slices and every build give the same decisions', async () => {
    const routers = [];
    for (const variant of variants) for (const worker of [true, false]) routers.push(await load({ variant, worker, previewLayer: 1 }));
    await Promise.all(routers.map((r) => r.load()));
    assert.deepEqual(routers.map((r) => r.inWorker), variants.flatMap(() => [true, false]));
    for (const text of [...Object.values(prompts), 'Schreibe mir ein Gedicht', '東京 hello', 'x'.repeat(200)])
      for (const ask of [(r) => r.route(text), (r) => r.preview(text), (r) => r.route(text, { maxExit: 0 })]) {
        const [first, ...others] = await Promise.all(routers.map(ask));
        for (const other of others) assert.deepEqual(plain(other), plain(first));
      }
    for (const r of routers) r.dispose();
  });

  test('state goes from loading over the exits to full', async () => {
    const states = [];
    const router = await load({ onProgress: (state) => states.push(state) });
    assert.ok(router.state.exit >= 0, 'load() resolves when an exit answers');
    await router.load();
    const deepest = states.map((s) => s.exit);
    assert.deepEqual(deepest, [...deepest].sort((a, b) => a - b));
    assert.equal(states[0].state, 'loading');
    assert.equal(states.at(-1).state, 'full');
    assert.equal(states.at(-1).exit, router.exits.length - 1);
    assert.equal(states.at(-1).layer, router.exits.at(-1).layer);
    assert.deepEqual([states.at(-1).loadedBytes, states.at(-1).totalBytes], [totalBytes, totalBytes]);
    router.dispose();
  });

  test('maxExit and lastExit bound the depth', async () => {
    const router = await load({ lastExit: 1 });
    await router.load();
    assert.equal((await router.route(prompts.code)).exit, 1);
    assert.equal((await router.route(prompts.code, { maxExit: 0 })).exit, 0);
    assert.equal((await router.route(prompts.code, { maxExit: 99 })).exit, router.exits.length - 1);
    router.dispose();
  });

  test('a budget is kept with the deepest answer there is', async () => {
    for (const worker of [true, false]) {
      const router = await load({ worker });
      await router.load();
      const text = 'why does my program crash? '.repeat(40);
      const decision = await router.route(text, { budgetMs: 0 });
      assert.ok(decision.exit < router.exits.length - 1, `exit ${decision.exit}`);
      assert.equal((await router.route(text, { budgetMs: 60000 })).exit, router.exits.length - 1);
      router.dispose();
    }
  });

  test('newer text overtakes, in a worker and in slices', async () => {
    for (const worker of [true, false]) {
      const router = await load({ worker });
      await router.load();
      const requests = [];
      for (let n = 0; n < 20; n++) {
        requests.push(router.route(`${prompts.code} ${n}`).then(() => n, (e) => e.code));
        if (n % 4 === 0) await new Promise((go) => setTimeout(go, 1));
      }
      const results = await Promise.all(requests);
      const answered = results.filter((r) => typeof r === 'number');
      assert.equal(answered.at(-1), 19);
      assert.deepEqual(answered, [...answered].sort((a, b) => a - b));
      assert.ok(results.every((r) => typeof r === 'number' || r === 'SR_OVERTAKEN'));
      router.dispose();
    }
  });

  test('a preview does not disturb a route under way in slices', async () => {
    const router = await load({ worker: false, previewLayer: 1 });
    await router.load();
    const alone = { route: plain(await router.route(prompts.poem)), preview: plain(router.preview(prompts.maths)) };
    const pending = router.route(prompts.poem);
    for (let n = 0; n < 5; n++) {
      assert.deepEqual(plain(router.preview(prompts.maths)), alone.preview);
      await new Promise((go) => setImmediate(go));
    }
    assert.deepEqual(plain(await pending), alone.route);
    router.dispose();
  });

  test('a prompt of 4,000 words is read in slices: at most four steps, of 32 tokens and half a layer each', async () => {
    const module = await Wasm.open({ wasm, variant: variants.at(-1), full: true });
    const matcher = new Matcher(module, await asset());
    let steps = 0, slices = 0;
    const most = [];
    const host = new Host(module, matcher, {
      emit() {},
      pause: async () => (most.push(steps), slices++, void (steps = 0)),
    });
    await host.load(model, { cache: false });
    const layers = Math.max(...matcher.exits.map((e) => e.layer));
    const { pipeline_step: step } = module.x;
    module.x = { ...module.x, pipeline_step: (...given) => (steps++, step(...given)) };
    const decision = await host.route(host.nextId(), 'garden apples '.repeat(2000));
    assert.equal(decision.layer, layers);
    assert.equal(decision.pieces, 128); // as many as the shipped model reads
    assert.ok(Math.max(...most) <= SLICE_STEPS, `${Math.max(...most)} steps in a row`);
    assert.ok(slices >= (layers * 2 * (128 / 32)) / SLICE_STEPS, `${slices} slices`);
    host.dispose();
  });

  test('the model waits for load() when asked to', async () => {
    const router = await load({ autoload: false });
    assert.equal(router.state.state, 'idle');
    assert.equal(router.preview('x'), null);
    assert.equal((await failure(router.route('x'))).code, 'SR_NOT_READY');
    await Promise.all([router.load(), router.load()]);
    assert.equal(router.state.state, 'full');
    assert.equal((await router.route(prompts.maths)).route, 'maths');
    router.dispose();
  });

  test('learning works at every exit, undoes, and reaches the previews', async () => {
    for (const worker of [true, false]) {
      const router = await load({ worker, previewLayer: 1 });
      await router.load();
      const text = 'the boiler in the cellar makes a knocking noise';
      const before = [plain(await router.route(text)), plain(router.preview(text)), plain(await router.route(prompts.code))];
      const learned = await router.learn(text, 'maths', { weight: 3 });
      for (const decision of [await router.route(`${text} again`), router.preview(text), await router.route(text, { maxExit: 0 })]) {
        assert.equal(decision.route, 'maths');
        assert.equal(decision.why[0].learned, learned.id);
        assert.equal(decision.why[0].text, text);
      }
      assert.equal((await router.route(prompts.code)).route, 'code');
      assert.ok(router.unlearn(learned.id));
      assert.deepEqual([plain(await router.route(text)), plain(router.preview(text)), plain(await router.route(prompts.code))], before);
      router.dispose();
    }
  });

  test('dispose in the middle of everything', async () => {
    const router = await load({});
    const pending = failure(router.route(prompts.code));
    const loading = failure(router.load().then(() => Promise.reject(new Error('done already'))));
    router.dispose();
    router.dispose();
    assert.equal((await pending).code, 'SR_DISPOSED');
    await loading;
    const early = await load({ autoload: false });
    early.load().catch(() => {});
    early.dispose();
  });

  test('without a worker that starts, it reads in slices', async () => {
    const router = await load({ worker: new URL('./no-such-worker.js', import.meta.url) });
    assert.equal(router.inWorker, false);
    await router.load();
    assert.equal((await router.route(prompts.poem)).route, 'poem');
    router.dispose();
  });
});

describe('encoder embedder and compile', () => {
  test('vectors have unit length and are the same at any exit, one by one or together', async () => {
    const own = await encoder({ model, wasm, variant: variants.at(-1) });
    const layers = [0, 1, own.layers];
    const [a, b] = await own.exitsOfMany([prompts.code, prompts.poem], layers);
    assert.deepEqual(await own.exits(prompts.code, layers), a);
    assert.deepEqual(await own(prompts.poem), b[2]);
    for (const vector of [...a, ...b]) {
      assert.equal(vector.length, own.dimensions);
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-4);
    }
    assert.ok((await failure(own(5))) instanceof TypeError);
    own.dispose();
    assert.equal((await failure(own('x'))).code, 'SR_DISPOSED');
    assert.equal((await failure(encoder({ model, wasm, layer: 99 }))).code, 'SR_E_EXIT');
    assert.ok((await failure(encoder({}))) instanceof TypeError);
  });

  test('compiling is deterministic over builds and threads', async () => {
    const first = await asset();
    for (const variant of variants)
      for (const worker of [true, false]) {
        const own = await encoder({ model, wasm, variant, worker });
        const layers = [...new Set([0, 1, Math.ceil(own.layers / 2), own.layers])];
        assert.deepEqual(await SmartRouter.compile(routes, own, { layers, wasm, variant }), first);
        own.dispose();
      }
  });

  test('one exit of the encoder is an embedder for route() too', async () => {
    const own = await encoder({ model, wasm });
    const router = await SmartRouter.load({ asset: await asset(), embedder: own, wasm });
    const full = await load({});
    await full.load();
    assert.deepEqual((await router.route(prompts.code)).scores, (await full.route(prompts.code)).scores);
    for (const r of [router, full]) r.dispose();
    own.dispose();
  });

  test('an external embedder compiles and routes', async () => {
    const embedder = Object.assign(async (text) => Float32Array.from({ length: 16 }, (_, i) => Math.sin(i * text.length)), { modelId: 'lengths' });
    let progress = [];
    const bytes = await SmartRouter.compile(routes, embedder, { wasm, rows: 'f32', onProgress: (...p) => (progress = p) });
    assert.deepEqual(progress, [12, 12]);
    const router = await SmartRouter.load({ asset: bytes, embedder, wasm });
    assert.equal(router.exits[0].rows, 'f32');
    assert.equal((await router.route(routes.routes[2].utterances[0])).route, 'poem');
    router.dispose();
    const zero = Object.assign(async () => new Float32Array(16), { modelId: 'zero' });
    const error = await failure(SmartRouter.compile(routes, zero, { wasm }));
    assert.equal(error.code, 'SR_E_ZERO');
    assert.match(error.message, /utterance “hello, how are you today\?”/);
    await assert.rejects(SmartRouter.compile(routes, async () => [1, 2, 3, 4], { wasm }), TypeError);
    await assert.rejects(SmartRouter.compile(routes, embedder, { wasm, signal: AbortSignal.abort() }), { name: 'AbortError' });
  });

  for (const [name, change, message] of [
    ['an unknown field', (f) => (f.routes[1].utterence = []), /route "code": unknown field "utterence"/],
    ['an id twice', (f) => (f.routes[1].id = 'chat'), /the id stands there twice/],
    ['no utterances', (f) => (f.routes[2].utterances = []), /route "poem": "utterances" is empty/],
    ['a number for a text', (f) => (f.routes[2].utterances[1] = 7), /route "poem": "utterances" number 2 must be a text/],
    ['an unknown fallback', (f) => (f.fallback = 'x'), /no route has the id "x"/],
    ['a threshold that is a text', (f) => (f.routes[0].threshold = '0.5'), /route "chat": "threshold" must be a number from -1 to 1/],
    ['a zero in a text', (f) => (f.routes[2].utterances[1] = 'a\0b'), /route "poem": "utterances" number 2 holds U\+0000/],
    ['no routes', (f) => (f.routes = {}), /a list "routes"/],
    ['exits that fall', (f) => (f.embedder = { exits: [3, 1] }), /rising whole numbers/],
  ])
    test(`a route file with ${name} is refused by name`, async () => {
      const file = structuredClone(routes);
      change(file);
      const error = await failure(SmartRouter.compile(file, async () => [], { wasm }));
      assert.equal(error.code, 'SR_ROUTES');
      assert.match(error.message, message);
    });
});
