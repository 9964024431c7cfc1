// A person's choice is never overridden.
import assert from 'node:assert/strict';
import { WORDS, wait } from './harness.js';
import { inBrowsers } from './suite.js';

const open = async (at) => {
  await at.page.click('[data-testid="model-selector-button"]');
  await at.until(() => Boolean(document.querySelector('[role="option"]')));
};
const choose = async (at, label) => {
  await open(at);
  await at.run((wanted) => {
    const option = [...document.querySelectorAll('[role="option"]')].find((one) => one.textContent === wanted);
    option.dataset.wanted = '1';
  }, label);
  await at.page.click('[data-wanted]');
  await at.until(() => !document.querySelector('[role="listbox"]'));
};

inBrowsers('a person\'s choice', (test) => {
  test('a spec from the menu stays: the chip says Manual, and one press turns auto on again', { config: { mode: 'every' } }, async (at) => {
    await choose(at, 'Other Spec');
    await at.until(() => window.smartrouter.now().view.kind === 'manual');
    assert.equal(await at.label(), 'Manual');
    assert.equal((await at.send('debug this')).spec, 'other');
    assert.equal((await at.send('write a poem')).spec, 'other');
    await at.chip();
    assert.equal((await at.view()).kind, 'auto');
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
    assert.equal((await at.send('write a poem')).spec, 'creative-writing');
  });
  test('one of the five, chosen by hand, stays as well', {}, async (at) => {
    await choose(at, 'Creative Writing');
    assert.equal((await at.send('debug this')).spec, 'creative-writing');
  });
  test('a choice by keyboard counts: it reaches the menu as an untrusted click', {}, async (at) => {
    await at.page.keyboard.press('Tab');
    await open(at);
    await at.page.keyboard.press('Enter');
    await at.run(() => window.contract.handleSelectSpec(window.contract.specs[1]));
    await wait(200);
    assert.equal((await at.send('debug this')).spec, 'creative-writing');
  });
  test('an endpoint and a model chosen by hand stay', {}, async (at) => {
    await choose(at, 'Strong models');
    const post = await at.send('debug this');
    assert.deepEqual([post.model, post.spec], ['writer', undefined]);
  });
  test('a choice in the middle of a conversation stays there, and only there', { config: { mode: 'every' } }, async (at) => {
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
    await choose(at, 'Creative Writing');
    assert.equal((await at.send('debug this')).spec, 'creative-writing');
    assert.equal((await at.send('hello')).spec, 'creative-writing');
    await at.newChat();
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
    const first = at.posts[0].at;
    await at.run((id) => window.contract.open(window.contract.list.find((one) => one.conversationId === id)), first);
    await at.until((id) => window.smartrouter.now().state.id === id, first);
    assert.equal((await at.send('write a poem')).spec, 'creative-writing');
    assert.equal((await at.view()).kind, 'manual');
  });
  test('a link with ?spec= is a choice', { path: '/c/new?spec=creative-writing' }, async (at) => {
    assert.equal((await at.view()).kind, 'manual');
    assert.equal((await at.send('debug this')).spec, 'creative-writing');
    await at.newChat();
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('so is a link that names the default', { path: '/c/new?spec=general-chat' }, async (at) => {
    assert.equal((await at.send('debug this')).spec, 'general-chat');
  });
  test('a conversation that runs on something else is left alone', { config: { mode: 'every' } }, async (at) => {
    await at.run(() => {
      const stored = { conversationId: 'aaaa-bbbb', endpoint: 'Fast', endpointType: 'custom', model: 'other-chat', spec: 'other', createdAt: 'then' };
      localStorage.setItem('conv_aaaa-bbbb', JSON.stringify(stored));
      window.contract.open(stored);
    });
    await at.until(() => window.smartrouter.now().view.kind === 'manual');
    assert.equal((await at.send('debug this')).spec, 'other');
    await at.chip();
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('a pinned agent is left alone', { config: { mode: 'every', routes: { 'agents-tools': null } } }, async (at) => {
    await choose(at, 'Agents & Tools');
    assert.equal((await at.send('debug this')).agent_id, 'agent_1');
    assert.equal((await at.view()).kind, 'manual');
  });
  test('Off stays off over a reload, and Auto comes back', {}, async (at) => {
    await at.pick('Off');
    assert.equal((await at.send('debug this')).spec, 'general-chat');
    await at.page.reload();
    await at.until(() => window.smartrouter?.now?.().view?.kind === 'off');
    await at.pick('Auto');
    await at.newChat();
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('a route picked in the chip\'s menu holds for one message', { config: { mode: 'every' } }, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await at.pick('Creative Writing');
    assert.equal(await at.label(), 'Creative Writing');
    await at.page.focus('#prompt-textarea');
    await at.enter();
    await at.posted(1);
    assert.equal(at.posts[0].spec, 'creative-writing');
    await at.idle();
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('a picked route switches a conversation that would have stayed', {}, async (at) => {
    await at.send('hello');
    await at.write('debug this');
    await at.pick('Deep Engineering');
    await at.page.focus('#prompt-textarea');
    await at.enter();
    await at.posted(2);
    assert.equal(at.posts[1].spec, 'deep-engineering');
    assert.equal(at.posts[1].at, at.posts[0].at);
  });
  test('"always route messages like this" is remembered, used, and can be forgotten', {}, async (at) => {
    await at.write('hello marmalade');
    await at.decided('hello marmalade');
    await at.chip();
    await at.item('Always route');
    await at.item('Logic & Science');
    await at.until(() => window.smartrouter.now().decision.route === 'logic-science');
    await at.page.focus('#prompt-textarea');
    await at.enter();
    await at.posted(1);
    assert.equal(at.posts[0].spec, 'logic-science');
    assert.ok(await at.run(() => localStorage.getItem('smartrouter.learned').includes('marmalade')));
    await at.idle();
    await at.pick('Forget what was learned (1)');
    assert.equal(await at.run(() => localStorage.getItem('smartrouter.learned')), null);
  });
  test('the log is off by default', {}, async (at) => {
    await at.send('debug this');
    assert.deepEqual(await at.run(() => Object.keys(localStorage).filter((key) => key.startsWith('smartrouter.'))), []);
  });
  test('the log holds routes, confidence, overrides and times, never text', { config: { log: true, mode: 'every' } }, async (at) => {
    await at.send('debug this');
    await at.write('debug that');
    await at.decided('debug that');
    await at.pick('Creative Writing');
    await at.page.focus('#prompt-textarea');
    await at.enter();
    await at.posted(2);
    await at.idle();
    const log = await at.run(() => localStorage.getItem('smartrouter.log'));
    assert.ok(!log.includes('debug t'));
    const [first, second] = JSON.parse(log);
    assert.deepEqual([first.route, first.used, first.override, first.outcome], ['deep-engineering', 'deep-engineering', false, 'sent']);
    assert.deepEqual([second.route, second.used, second.override], ['deep-engineering', 'creative-writing', true]);
    const report = await at.run(() => window.smartrouter.report());
    assert.deepEqual([report.messages, report.overridden, report.routes['deep-engineering'].rate], [2, 1, 0.5]);
  });
  test('nothing but the plugin\'s own files and the host\'s requests goes over the line', {}, async (at) => {
    for (const text of Object.values(WORDS)) {
      await at.newChat();
      await at.send(text);
    }
    const others = at.server.requests.filter((line) => !/^GET \/(smartrouter|page|vendor)\/|\/api\/agents\/chat|^GET \/c\/new/.test(line));
    assert.deepEqual(others, []);
  });
});
