// Numbers: two hundred sends, five hundred switches, time added at the send.
import assert from 'node:assert/strict';
import { WORDS, wait } from './harness.js';
import { inBrowsers } from './suite.js';

/** Runs in the page, so that two hundred sends take seconds: types, waits for the shown decision or does not, presses Enter. */
async function sendMany({ words, count, conversations, seed, pause, pick }) {
  const next = (() => { let s = seed; return () => ((s = (Math.imul(s, 1664525) + 1013904223) >>> 0) / 2 ** 32); })();
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const routes = Object.keys(words);
  const area = () => document.getElementById('prompt-textarea');
  const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set;
  const until = async (test) => { for (let i = 0; i < 2000 && !test(); i++) await sleep(5); if (!test()) throw new Error(`never: ${test} at ${sent.length}: ${JSON.stringify([area().value, window.smartrouter.last, window.smartrouter.now()])}`); };
  const sent = [];
  for (let i = 0; i < count; i++) {
    const list = window.contract.list;
    if (list.length < conversations && next() < 0.4) {
      const before = window.contract.conversation;
      if (before.conversationId !== 'new') {
        window.contract.newConversation();
        await until(() => window.contract.conversation.conversationId === 'new');
      }
    } else if (conversations && list.length && next() < 0.7) {
      const item = list[Math.floor(next() * list.length)];
      window.contract.open(item);
      await until(() => window.contract.conversation.conversationId === item.conversationId);
    }
    const route = routes[Math.floor(next() * routes.length)];
    const text = words[route] + ' ' + i;
    set.call(area(), text);
    area().dispatchEvent(new Event('input', { bubbles: true }));
    await until(() => window.smartrouter.now().decision && window.smartrouter.now().view.label !== 'Auto');
    if (pause) await until(() => window.smartrouter.now().decision.exit === 1);
    const shown = window.smartrouter.now().view.label;
    const answers = window.contract.answers;
    const presses = next() < 0.2 ? 3 : 1;
    for (let p = 0; p < presses; p++) {
      area().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 13, bubbles: true, cancelable: true }));
      await null; // a press is an event of its own
    }
    await until(() => window.contract.answers > answers && area().value === '' && !window.contract.isSubmitting);
    sent.push({ text, shown, route, ms: window.smartrouter.last.ms, outcome: window.smartrouter.last.outcome });
  }
  return sent;
}
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

inBrowsers('many', (test, browser) => {
  test('two hundred sends over twenty conversations: none lost, doubled or misrouted', { config: { mode: 'every' }, streamMs: 1 }, async (at) => {
    const sent = await at.run(sendMany, { words: WORDS, count: 200, conversations: 20, seed: 7, pause: false });
    await at.quiet(200);
    const labels = Object.fromEntries(await at.run(() => window.contract.specs.map((spec) => [spec.name, spec.label])));
    const byText = new Map(at.posts.map((post) => [post.text, post]));
    assert.equal(byText.size, 200, 'lost or doubled');
    const wrong = sent.filter(({ text, shown, route }) => byText.get(text).spec !== route || labels[route] !== shown);
    assert.deepEqual(wrong, []);
    assert.deepEqual(at.posts.map((post) => post.text), sent.map(({ text }) => text), 'in the order of sending');
    assert.equal(new Set(at.posts.map((post) => post.at)).size, 20);
    const moved = sent.filter(({ outcome }) => outcome === 'sent').map(({ ms }) => ms);
    console.log(`${browser}: ${moved.length} of 200 switched; added ${median(moved).toFixed(1)} ms median, ${Math.max(...moved).toFixed(0)} at most`);
  });
  test('the first message of thirty chats, decision ready: each is sent; what that adds is printed', { streamMs: 1 }, async (at) => {
    const times = [];
    const texts = Object.values(WORDS).slice(1);
    for (let i = 0; i < 30; i++) {
      await at.newChat();
      await at.until(() => window.contract.conversation.conversationId === 'new');
      const [one] = await at.run(sendMany, { words: { 'deep-engineering': `${texts[i % 4]} ${i}` }, count: 1, conversations: 0, seed: i, pause: true });
      if (one.outcome === 'sent') times.push(one.ms);
    }
    assert.equal(times.length, 30);
    console.log(`${browser}: decision ready, added ${median(times).toFixed(1)} ms median`);
  });
  test('without a decision, an encoder of 60 ms: each is sent; what that adds is printed', { streamMs: 1, double: { slowMs: 60 } }, async (at) => {
    const times = [];
    for (let i = 0; i < 20; i++) {
      await at.newChat();
      await at.until(() => window.contract.conversation.conversationId === 'new');
      const [one] = await at.run(sendMany, { words: { 'deep-engineering': `debug this ${i}` }, count: 1, conversations: 0, seed: i, pause: false });
      assert.equal(one.outcome, 'sent');
      times.push(one.ms);
    }
    console.log(`${browser}: decision not ready, added ${median(times).toFixed(1)} ms median`);
  });
  test('five hundred conversation switches leave one chip, one message, little memory', { config: { mode: 'every' } }, async (at) => {
    await at.run(async () => {
      for (let i = 0; i < 40; i++) localStorage.setItem('conv_c' + i, JSON.stringify({ ...window.contract.conversation, conversationId: 'c' + i, createdAt: 'then' }));
      for (let i = 0; i < 500; i++) {
        window.contract.open({ conversationId: 'c' + (i * 7) % 40 });
        if (i % 25 === 0) window.contract.newConversation();
        await new Promise((resolve) => setTimeout(resolve, i % 10 ? 0 : 20));
      }
    });
    await wait(300);
    assert.equal(await at.run(() => document.querySelectorAll('smartrouter-chip').length), 1);
    assert.equal((await at.view()).kind, 'auto', 'switching is no choice');
    const post = await at.send('debug this');
    assert.equal(post.spec, 'deep-engineering');
    await at.quiet(1);
  });
  test('five hundred keys typed at once: the last text is decided', {}, async (at) => {
    const ms = await at.run(async () => {
      const area = document.getElementById('prompt-textarea');
      const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set;
      const started = performance.now();
      for (let i = 0; i < 500; i++) {
        set.call(area, 'debug '.repeat(i % 40) + i);
        area.dispatchEvent(new Event('input', { bubbles: true }));
      }
      return (performance.now() - started) / 500;
    });
    console.log(`${browser}: ${ms.toFixed(2)} ms a key, the host's own work included`);
    await at.decided('debug '.repeat(499 % 40) + 499);
  });
});
