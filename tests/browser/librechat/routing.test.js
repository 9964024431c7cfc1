import assert from 'node:assert/strict';
import { WORDS, wait } from './harness.js';
import { inBrowsers } from './suite.js';

const MODELS = { 'general-chat': 'small-chat', 'creative-writing': 'writer', 'deep-engineering': 'engineer', 'logic-science': 'reasoner', 'agents-tools': undefined };

inBrowsers('sending', (test) => {
  test('sends the first message of a chat to its route: spec, model, endpoint and address agree', {}, async (at) => {
    for (const [route, text] of Object.entries(WORDS)) {
      await at.newChat();
      const post = await at.send(text);
      assert.equal(post.spec, route);
      assert.equal(post.text, text);
      assert.equal(post.model, MODELS[route]);
      assert.equal(post.path, `/api/agents/chat/${post.endpoint}`);
      assert.equal(await at.run(() => window.contract.conversation.spec), route);
    }
    await at.quiet(5);
    assert.equal(at.server.streams, 5);
  });

  test('keeps the text, the focus and the element while it types and shows, and touches nothing', {}, async (at) => {
    await at.run(() => (window.before = document.getElementById('prompt-textarea')));
    for (const text of Object.values(WORDS)) {
      await at.write(text);
      await at.decided(text);
    }
    const after = await at.run(() => ({
      same: window.before === document.getElementById('prompt-textarea'), focus: document.activeElement === window.before,
      selections: window.contract.selections, spec: window.contract.conversation.spec, path: location.pathname + location.search,
    }));
    assert.deepEqual(after, { same: true, focus: true, selections: 0, spec: 'general-chat', path: '/c/new' });
    assert.equal(at.posts.length, 0);
  });

  test('sends by the button as by Enter', {}, async (at) => {
    await at.write(WORDS['deep-engineering']);
    await at.decided(WORDS['deep-engineering']);
    await at.page.click('#send-button');
    await at.posted(1);
    await at.quiet(1);
    assert.equal(at.posts[0].spec, 'deep-engineering');
  });

  test('stays with the conversation after its first message', {}, async (at) => {
    await at.send(WORDS['deep-engineering']);
    const post = await at.send(WORDS['creative-writing'], { settle: false });
    assert.equal(post.spec, 'deep-engineering');
    assert.equal((await at.last()).why, 'first');
    assert.equal(await at.run(() => window.contract.selections), 1);
  });

  test('begins a new chat in auto mode again, whatever the last one was', {}, async (at) => {
    await at.send(WORDS['deep-engineering']);
    await at.newChat();
    assert.equal((await at.send(WORDS['general-chat'])).spec, 'general-chat');
    await at.newChat();
    assert.equal((await at.send(WORDS['creative-writing'])).spec, 'creative-writing');
  });

  test('routes every message in the mode for it, and keeps the conversation', { config: { mode: 'every' } }, async (at) => {
    const ids = new Set();
    for (const route of ['creative-writing', 'deep-engineering', 'agents-tools', 'general-chat', 'creative-writing']) {
      const post = await at.send(WORDS[route]);
      assert.equal(post.spec, route);
      ids.add(post.at);
    }
    assert.equal(ids.size, 1);
  });

  test('switches a conversation when it is sure twice in a row, in the mode for it', { config: { mode: 'sure' } }, async (at) => {
    assert.equal((await at.send('debug this code')).spec, 'deep-engineering');
    assert.equal((await at.send('write a poem')).spec, 'deep-engineering');
    assert.equal((await at.send('rather a story about it')).spec, 'deep-engineering', 'not sure enough to count');
    assert.equal((await at.send('write a poem')).spec, 'deep-engineering');
    assert.equal((await at.send('a story about it')).spec, 'creative-writing');
  });

  test('leaves a message alone that it is not sure of', {}, async (at) => {
    const post = await at.send('maybe debug this');
    assert.equal(post.spec, 'general-chat');
    assert.equal((await at.last()).why, 'unsure');
  });

  test('sends once when Enter is pressed three times fast', { double: { slowMs: 60 } }, async (at) => {
    for (let i = 0; i < 3; i++) {
      await at.newChat();
      await at.write('debug this');
      await Promise.all([at.enter(), at.enter(), at.enter()]);
      await at.posted(i + 1);
      await at.quiet(i + 1, 150);
      assert.equal(at.posts[i].spec, 'deep-engineering');
      await at.idle();
    }
  });

  test('waits for a decision no longer than its budget, then takes the earlier answer', { double: { slowMs: 3000 } }, async (at) => {
    await at.write('debug this');
    const started = Date.now();
    await at.enter();
    await at.posted(1);
    assert.ok(Date.now() - started < 900, `${Date.now() - started} ms`);
    assert.equal(at.posts[0].spec, 'deep-engineering');
    assert.ok((await at.last()).ms >= 140);
  });

  test('ignores Enter while a word is being composed', {}, async (at) => {
    await at.write('debug');
    await at.run(() => {
      const area = document.getElementById('prompt-textarea');
      area.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }));
      area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, isComposing: true, bubbles: true, cancelable: true }));
    });
    await at.quiet(0);
    await at.run(() => document.getElementById('prompt-textarea').dispatchEvent(new CompositionEvent('compositionend', { bubbles: true })));
    await at.enter();
    await at.posted(1);
    assert.equal(at.posts[0].text, 'debug');
  });

  test('leaves the line break to those who send by Ctrl and Enter', { storage: { enterToSend: 'false' } }, async (at) => {
    await at.write('debug this');
    await at.enter();
    await at.quiet(0, 120);
    await at.write('debug this');
    await at.page.keyboard.down('Control');
    await at.page.keyboard.press('Enter');
    await at.page.keyboard.up('Control');
    await at.posted(1);
    assert.equal(at.posts[0].spec, 'deep-engineering');
  });

  test('keeps the files of a new chat: it stays with its model and says so', {}, async (at) => {
    await at.page.click('#attach-file-menu-button');
    await at.write('make a chart of it');
    await at.until(() => window.smartrouter.now().state.files === 1);
    await wait(200);
    assert.match((await at.view()).hint, /files/i);
    await at.enter();
    await at.posted(1);
    assert.deepEqual(at.posts[0].files, ['file1']);
    assert.equal(at.posts[0].spec, 'general-chat');
    assert.equal((await at.last()).why, 'files');
  });

  test('keeps the files of a conversation that goes on, and switches', { config: { mode: 'every' } }, async (at) => {
    await at.send(WORDS['general-chat']);
    await at.page.click('#attach-file-menu-button');
    const post = await at.send('debug this');
    assert.deepEqual([post.spec, post.files], ['deep-engineering', ['file1']]);
  });

  test('does not submit while files load', { faults: { filesLoad: 400 } }, async (at) => {
    await at.page.click('#attach-file-menu-button');
    await at.write('debug this');
    await at.enter();
    await at.quiet(0, 150);
    await at.until(() => !document.getElementById('send-button').disabled);
    await at.enter();
    await at.posted(1);
    assert.deepEqual(at.posts[0].files, ['file1']);
  });

  test('stays at its endpoint when the user turned modular chats off', { config: { mode: 'every' }, storage: { modularChat: 'false' } }, async (at) => {
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
    assert.equal((await at.send(WORDS['general-chat'])).spec, 'deep-engineering', 'the other endpoint would begin a new chat');
    assert.equal((await at.last()).why, 'endpoint');
    assert.equal((await at.send('write a poem')).spec, 'creative-writing', 'the same endpoint');
    assert.equal(new Set(at.posts.map((post) => post.at)).size, 1);
  });

  test('never leaves an assistant for another endpoint', { config: { mode: 'every', routes: { 'logic-science': 'assistant' } } }, async (at) => {
    assert.equal((await at.send('prove it')).spec, 'assistant', 'a new chat may begin there');
    assert.equal((await at.send('debug this')).spec, 'assistant');
    assert.equal((await at.last()).why, 'endpoint');
    await at.newChat();
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
    assert.equal((await at.send('prove it')).spec, 'deep-engineering', 'nor goes to one');
    assert.equal(new Set(at.posts.map((post) => post.at)).size, 2);
  });

  test('lets the answer to an agent\'s question through', { config: { mode: 'every' } }, async (at) => {
    await at.run(() => window.contract.setSubmitting(true));
    await at.write('debug this');
    await at.run(() => {
      window.through = 0;
      window.addEventListener('submit', (event) => (window.through++, event.preventDefault()));
      document.getElementById('prompt-textarea').form.requestSubmit();
    });
    assert.deepEqual(await at.run(() => [window.through, window.contract.selections]), [1, 0]);
    assert.equal((await at.last()).why, 'busy');
  });

  test('leaves the second composer of the split view alone', {}, async (at) => {
    await at.run(() => window.contract.setView({ page: 'chat', split: true, side: true }));
    await at.until(() => document.querySelectorAll('textarea').length === 2);
    await at.write('debug this');
    await at.run(() => {
      const area = document.querySelectorAll('textarea')[1];
      Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(area, 'write a poem');
      area.dispatchEvent(new Event('input', { bubbles: true }));
      area.form.requestSubmit();
    });
    await at.posted(1);
    assert.deepEqual([at.posts[0].second, at.posts[0].spec], [true, 'other']);
    await at.decided('debug this');
    await at.page.focus('#prompt-textarea');
    await at.enter();
    await at.posted(2);
    assert.equal(at.posts[1].spec, 'deep-engineering');
    assert.equal(await at.run(() => document.querySelectorAll('smartrouter-chip').length), 1);
  });

  test('lets voice and starters send as they do', {}, async (at) => {
    await at.run(() => window.contract.voice('debug this by voice'));
    await at.posted(1);
    await at.quiet(1);
    assert.equal(at.posts[0].spec, 'general-chat');
  });

  test('sends what was there at Enter when the text changes while it is held, and keeps the rest', { double: { slowMs: 120 } }, async (at) => {
    await at.write('debug this');
    await at.enter();
    await at.write('debug this and more');
    await at.posted(1);
    assert.deepEqual([at.posts[0].text, at.posts[0].spec], ['debug this', 'deep-engineering']);
    await at.until(() => document.getElementById('prompt-textarea').value === ' and more');
    await at.quiet(1);
  });

  test('keeps the message for its own conversation when another is opened while it is held', { double: { slowMs: 3000 }, config: { wait: { decide: 400 } } }, async (at) => {
    await at.send(WORDS['general-chat'], { settle: false });
    await at.newChat();
    await at.write('debug this');
    await at.enter();
    await at.run(() => window.contract.open(window.contract.list[0]));
    await wait(700);
    await at.quiet(1);
    assert.equal((await at.last()).outcome, 'kept');
    assert.equal(await at.run(() => localStorage.getItem('textDraft_new')), 'debug this', 'the host keeps the draft');
    assert.equal(await at.value(), '');
  });

  test('puts the text back when the composer goes away while it is held', { double: { slowMs: 3000 }, config: { wait: { decide: 400 } } }, async (at) => {
    await at.write('debug this');
    await at.enter();
    await at.run(() => (localStorage.removeItem('textDraft_new'), window.contract.setView({ page: 'agents', side: true })));
    await wait(600);
    await at.run(() => window.contract.setView({ page: 'chat', side: true }));
    await at.until(() => document.getElementById('prompt-textarea')?.value === 'debug this');
    await at.quiet(0);
    await at.enter();
    await at.posted(1);
    assert.equal(at.posts[0].text, 'debug this');
  });

  const files = { replace: { 'files.json': '{ "asset": "a.srr", "table": "a.srt", "model": "a.srm" }' } };
  test('asks for the encoder once, when the composer is used', { ...files, config: { embedder: { lastExit: 2 } } }, async (at) => {
    await at.send('debug this');
    const { asset, table, model, autoload, lastExit } = await at.run(() => window.doubleOptions);
    for (const [url, name] of [[asset, 'a.srr'], [table, 'a.srt'], [model, 'a.srm']]) assert.ok(url.endsWith(`/${name}`), url);
    assert.deepEqual([autoload, lastExit, await at.run(() => window.doubleLoads)], [false, 2, 1]);
  });
  test('never asks for it when the operator says never', { ...files, config: { embedder: { download: 'never' } } }, async (at) => {
    await at.send('debug this');
    assert.deepEqual(await at.run(() => [window.doubleOptions.model, window.doubleLoads ?? 0]), ['undefined', 0]);
  });
  test('takes the operator\'s embeddings server', { ...files, config: { embedder: { type: 'server', url: '/embeddings/v1', model: 'big' }, files: { asset: 'own.srr' } } }, async (at) => {
    await at.send('debug this');
    const { embedder, table, model, asset } = await at.run(() => window.doubleOptions);
    assert.deepEqual([embedder, table, model], ['big', 'undefined', 'undefined']);
    assert.ok(asset.endsWith('/smartrouter/own.srr'));
  });

  test('goes to an endpoint and a model where no spec is named', { config: { routes: { 'deep-engineering': { endpoint: 'Strong', model: 'engineer' } } } }, async (at) => {
    const post = await at.send('debug this');
    assert.deepEqual([post.endpoint, post.model, post.spec], ['Strong', 'engineer', undefined]);
    assert.equal((await at.last()).outcome, 'sent');
  });
});
