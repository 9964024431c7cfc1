// What can go wrong while the model arrives, and a worker that dies.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { setEnvironmentData } from 'node:worker_threads';
import { Client } from '../../web/client.js';
import { failure } from './setup.js';
import { load, model, modelServer, plain, prompts, sectionEnds, until } from './text-setup.js';

describe('loading the model', () => {
  for (const worker of [true, false])
    test(`cut after each part (${worker ? 'worker' : 'slices'}): what is there answers, retry goes on`, async () => {
      const whole = await load({ worker });
      await whole.load();
      // a download that is cut for good just after, and just before, the end of some parts
      const last = sectionEnds.length - 1;
      const places = new Set([0, 1, 2, Math.floor(last / 2), last - 1].map((i) => sectionEnds[i]));
      for (const end of places)
        for (const cut of [end, end - 1]) {
          const server = await modelServer((request, response, n, send) => (n === 1 ? send({ cut }) : response.writeHead(404).end()));
          let loading;
          try {
            const router = await load({ worker, model: server.url, autoload: false });
            loading = failure(router.load());
            const error = await loading;
            assert.equal(error.code, 'SR_FETCH');
            const { state, exit } = router.state;
            assert.equal(state, 'failed');
            assert.equal(router.state.error.code, 'SR_FETCH');
            assert.ok(exit < router.exits.length - 1);
            if (exit >= 0)
              assert.deepEqual(plain(await router.route(prompts.poem)), plain(await whole.route(prompts.poem, { maxExit: exit })));
            else assert.ok((await failure(router.route(prompts.poem))).code);
            router.dispose();
          } finally {
            server.close();
          }
        }
      whole.dispose();
    });

  test('after a cut, retry goes on from there and the deepest exit answers', async () => {
    for (const worker of [true, false]) {
      const cut = sectionEnds.at(-3);
      let broken = true;
      const server = await modelServer((request, response, n, send) =>
        n === 1 ? send({ cut }) : broken ? response.writeHead(404).end() : send({}));
      const router = await load({ worker, model: server.url });
      await until(router, (s) => s.state === 'failed');
      broken = false;
      await router.state.retry();
      assert.equal(router.state.state, 'full');
      assert.equal(server.seen.at(-1), `bytes=${cut}-`);
      assert.equal((await router.route(prompts.maths)).exit, router.exits.length - 1);
      router.dispose();
      server.close();
    }
  });

  test('after a failure from the start, retry or load() begins again', async () => {
    for (const again of [(router) => router.state.retry(), (router) => router.load()]) {
      let broken = true;
      const server = await modelServer((request, response, n, send) => (broken ? response.writeHead(404).end() : send({})));
      const router = await load({ model: server.url, autoload: false });
      assert.equal((await failure(router.load())).code, 'SR_FETCH');
      assert.equal((await failure(router.route(prompts.code))).code, 'SR_FETCH');
      broken = false;
      await again(router);
      assert.equal((await router.route(prompts.code)).route, 'code');
      router.dispose();
      server.close();
    }
  });

  test('a lost connection is taken up again without anybody noticing', async () => {
    const server = await modelServer((request, response, n, send) => send({ cut: n * 400_000 }));
    const router = await load({ model: server.url });
    await router.load();
    assert.ok(server.seen.length > 1);
    assert.equal(router.state.state, 'full');
    router.dispose();
    server.close();
  });

  test('damaged in any part: fetched once more, then it fails with SR_E_CHECKSUM and the parts before go on answering', async () => {
    const damaged = model.slice();
    damaged[sectionEnds.at(-2) - 1] ^= 64;
    const server = await modelServer((request, response, n, send) => send({ bytes: damaged }));
    const router = await load({ model: server.url });
    const state = await until(router, (s) => s.state === 'failed');
    assert.equal(state.error.code, 'SR_E_CHECKSUM');
    assert.equal(server.seen.length, 2);
    router.dispose();
    server.close();
    const once = await modelServer((request, response, n, send) => send({ bytes: n === 1 ? damaged : model }));
    const better = await load({ model: once.url });
    await better.load();
    assert.equal(better.state.state, 'full');
    better.dispose();
    once.close();
  });

  test('another model than the asset’s is refused', async () => {
    const other = model.slice();
    other[16] ^= 1; // the content id in the header
    for (const worker of [true, false]) assert.match((await failure(load({ model: other, worker }))).code, /^SR_E_(MODEL|CHECKSUM)$/);
    const error = await failure(load({ model: new TextEncoder().encode('<html>'.padEnd(100)) }));
    assert.equal(error.code, 'SR_E_MAGIC');
    assert.equal((await failure(load({ model: '/nowhere.srm' }))).code, 'SR_FETCH');
    assert.equal((await failure(load({ model: model.subarray(0, 5000) }))).code, 'SR_E_TRUNCATED');
  });

  test('integrity: nothing answers before all of it is checked', async () => {
    const sha256 = createHash('sha256').update(model).digest('hex');
    const states = [];
    const router = await load({ integrity: { model: sha256 }, onProgress: (s) => states.push(s) });
    await router.load();
    assert.ok(states.every((s) => s.exit < 0 || s.loadedBytes === model.length));
    assert.equal((await router.route(prompts.code)).route, 'code');
    router.dispose();
    assert.equal((await failure(load({ integrity: { model: sha256.replace(/./g, '0') } }))).code, 'SR_INTEGRITY');
  });

  test('an aborted signal ends loading, in the background too', async () => {
    for (const worker of [true, false]) {
      const cut = sectionEnds.at(-3);
      const server = await modelServer((request, response) => {
        response.writeHead(200, { 'content-length': model.length });
        response.write(model.subarray(0, cut)); // and then nothing more
      });
      const abort = new AbortController();
      const router = await load({ worker, model: server.url, signal: abort.signal });
      abort.abort();
      const state = await until(router, (s) => s.state === 'failed');
      assert.equal(state.error.name, 'AbortError');
      assert.ok(await router.route(prompts.chat), 'what is there goes on answering');
      router.dispose();
      server.close();
    }
  });

  test('a text learned early counts at the exits that come later', async () => {
    const cut = sectionEnds.at(-3);
    let go;
    const gate = new Promise((open) => (go = open));
    const server = await modelServer(async (request, response) => {
      response.writeHead(200, { 'content-length': model.length });
      response.write(model.subarray(0, cut));
      await gate;
      response.end(model.subarray(cut));
    });
    const router = await load({ model: server.url });
    const text = 'the boiler in the cellar makes a knocking noise';
    await router.learn(text, 'maths', { weight: 2 });
    go();
    await router.load();
    for (let n = 0; n < 100 && (await router.route(text)).route !== 'maths'; n++) await new Promise((wait) => setTimeout(wait, 20));
    const decision = await router.route(text);
    assert.equal(decision.exit, router.exits.length - 1);
    assert.equal(decision.route, 'maths');
    router.dispose();
    server.close();
  });
});

describe('a worker that dies', () => {
  const worker = new URL('./crashing-worker.js', import.meta.url);
  const start = async () => {
    setEnvironmentData('deaths', new SharedArrayBuffer(4));
    const router = await load({ worker });
    await router.load();
    assert.equal(router.inWorker, true);
    return router;
  };

  test('is replaced, and the prompt is asked once more', async () => {
    const router = await start();
    const before = plain(await router.route(prompts.code));
    assert.ok(await router.route('die 1'));
    assert.deepEqual(plain(await router.route(prompts.code)), before);
    assert.equal(router.state.state, 'full');
    router.dispose();
  });

  test('twice on one prompt: that prompt fails, the next one is answered', async () => {
    const router = await start();
    assert.equal((await failure(router.route('die 2'))).code, 'SR_WORKER');
    assert.equal((await router.route(prompts.poem)).route, 'poem');
    router.dispose();
  });

  test('again and again: it gives up in the end, and says so', async () => {
    const router = await start();
    for (let n = 0; n < 4; n++) assert.equal((await failure(router.route(`die 99 ${n}`))).code, 'SR_WORKER');
    assert.equal(router.state.state, 'failed');
    router.dispose();
  });

  test('that never comes back is replaced as well', async () => {
    const usual = Client.tickMs;
    Client.tickMs = 100;
    try {
      const router = await start();
      const before = plain(await router.route(prompts.code));
      assert.ok(await router.route('hang 1'));
      assert.deepEqual(plain(await router.route(prompts.code)), before);
      router.dispose();
    } finally {
      Client.tickMs = usual;
    }
  });

  test('what was learned outlives it', async () => {
    const router = await start();
    await router.learn(prompts.chat, 'maths', { weight: 3 });
    const before = plain(await router.route(prompts.chat));
    assert.equal(before.route, 'maths');
    await router.route('die 1');
    assert.deepEqual(plain(await router.route(prompts.chat)), before);
    router.dispose();
  });
});
