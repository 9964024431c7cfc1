// The contract page with the real router: wasm, worker, the five routes, the model that make built.
import assert from 'node:assert/strict';
import { wait } from './harness.js';
import { inBrowsers } from './suite.js';

const PROMPTS = [
  'Write a SQL query that finds duplicate e-mail addresses in my table', 'Schreib ein Gedicht über den ersten Schnee im Garten',
  'Prove that the square root of two is irrational', 'What is the weather like in Dublin tomorrow?', 'Hi, how are you today?',
  'Napisz skrypt w bashu, który usuwa stare logi', 'Calcula la aceleración de un bloque en un plano inclinado',
];
const config = { confidence: { route: 0, sure: 0.75 } }; // whatever the calibration says, the shown route is taken
const settled = (at, text) =>
  at.until((value) => {
    const now = window.smartrouter.now();
    return document.getElementById('prompt-textarea').value === value && now.decision && now.view;
  }, text, 15000);
// The decision changes no more
const still = async (at, text) => {
  let last = '';
  for (let same = 0; same < 4; ) {
    const { decision } = await at.run(() => window.smartrouter.now());
    const now = JSON.stringify([decision?.route, decision?.exit]);
    same = now === last ? same + 1 : 0;
    last = now;
    await wait(120);
  }
  return settled(at, text);
};

inBrowsers('the real router', (test) => {
  test('each message goes once, to the route that the chip showed, by the real encoder', { real: true, config }, async (at) => {
    const routes = new Set();
    for (const [i, text] of PROMPTS.entries()) {
      await at.newChat();
      await at.write(text);
      const { label } = await still(at, text);
      await at.enter();
      await at.posted(i + 1);
      await at.idle();
      const post = at.posts[i];
      const spec = await at.run((name) => window.contract.specs.find((one) => one.name === name).label, post.spec);
      assert.equal(spec, label, text);
      assert.equal(post.text, text);
      routes.add(post.spec);
    }
    await at.quiet(PROMPTS.length);
    assert.ok(routes.size >= 3, [...routes].join());
    const others = at.server.requests.filter((line) => !/^(GET|HEAD) \/(smartrouter|page|vendor)\/|\/api\/agents\/chat|^GET \/c\/new/.test(line));
    assert.deepEqual(others, [], 'nothing else leaves the page');
  });
  test('sends typed and entered in one breath go once', { real: true, config }, async (at) => {
    const times = [];
    for (let i = 0; i < 8; i++) {
      await at.newChat();
      await at.until(() => window.contract.conversation.conversationId === 'new');
      await at.write(`${PROMPTS[i % PROMPTS.length]} ${i}`);
      await at.enter();
      await at.posted(i + 1);
      await at.idle();
      times.push((await at.last()).ms);
    }
    await at.quiet(8);
    times.sort((a, b) => a - b);
    console.log(`real router, no decision ready: added ${times[4].toFixed(1)} ms median`);
  });
  test('learns from its user', { real: true, config }, async (at) => {
    const text = 'the quarterly marmalade ledger';
    await at.write(text);
    await still(at, text);
    await at.chip();
    await at.item('Always route');
    await at.item('Logic & Science');
    await at.until(() => localStorage.getItem('smartrouter.learned'), null, 15000);
    await at.page.reload();
    await at.until(() => window.smartrouter?.now?.().router === 'ready');
    await at.until(() => window.smartrouter.now().view?.hidden === false);
    await at.write(text);
    await at.until(() => window.smartrouter.now().decision?.route === 'logic-science', null, 15000);
  });
  test('leaves everything as it was where a policy blocks WebAssembly', { real: true, ready: false, errors: true, csp: "script-src 'self'" }, async (at) => {
    await at.until(() => window.smartrouter?.now?.().router === 'failed');
    await at.write('debug this segfault');
    await at.enter();
    await at.posted(1);
    await at.quiet(1);
    assert.equal(at.posts[0].spec, 'general-chat');
    assert.equal(await at.run(() => document.querySelector('smartrouter-chip')?.hidden ?? true), true);
    assert.equal(await at.run(() => sessionStorage.getItem('loads')), '1');
    assert.equal(await at.run(() => window.smartrouter.code), 'SR_WASM');
  });
  for (const [what, missing] of [['the asset', /\.srr/], ['wasm', /\.wasm/], ['the matcher\'s modules', /live\.js|matcher\.js/]])
    test(`leaves everything as it was when ${what} cannot be fetched`, { real: true, ready: false, errors: true, missing }, async (at) => {
      await at.until(() => window.smartrouter?.now?.().router === 'failed', null, 15000);
      await at.write('debug this segfault');
      await at.enter();
      await at.posted(1);
      await at.quiet(1);
      assert.deepEqual([at.posts[0].text, at.posts[0].spec], ['debug this segfault', 'general-chat']);
      assert.equal(await at.run(() => sessionStorage.getItem('loads')), '1', 'no reload');
      assert.deepEqual((await at.run(() => window.pageErrors)).filter((text) => /unhandled/.test(text)), []);
    });
  test('routes without the worker, under a strict policy', {
    real: true, config, missing: /worker\.js/,
    csp: "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; base-uri 'self'; img-src data:", errors: true,
  }, async (at) => {
    await at.write(PROMPTS[0]);
    await still(at, PROMPTS[0]);
    await at.enter();
    await at.posted(1);
    await at.quiet(1);
  });
});
