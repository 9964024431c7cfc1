// Whatever breaks, the message leaves exactly once, the way the host would have sent it.
import assert from 'node:assert/strict';
import { wait } from './harness.js';
import { inBrowsers } from './suite.js';

const plain = async (at, text = 'debug this') => {
  await at.write(text);
  await wait(200);
  await at.enter();
  await at.posted(1);
  await at.quiet(1);
  assert.deepEqual([at.posts[0].text, at.posts[0].spec], [text, 'general-chat']);
};

inBrowsers('faults', (test) => {
  test('goes by the menu when the selector\'s context is gone', { faults: { noSelector: true } }, async (at) => {
    const post = await at.send('debug this');
    assert.equal(post.spec, 'deep-engineering');
    assert.deepEqual([(await at.last()).way, (await at.last()).outcome], ['menu', 'sent']);
    const after = await at.run(() => [document.activeElement.id, document.querySelectorAll('[role="listbox"]').length, document.adoptedStyleSheets.length]);
    assert.deepEqual(after, ['prompt-textarea', 0, 0]);
    await at.quiet(1);
  });
  test('sends as it is when nobody can tell the labels of the menu', { faults: { noSelector: true, noQueries: true } }, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await plain(at);
  });
  test('sends as it is when the menu has no such option, and closes it', { faults: { noSelector: true } }, async (at) => {
    await at.write('prove it'); // its spec is in a group
    await at.decided('prove it');
    await at.enter();
    await at.posted(1);
    await at.quiet(1);
    assert.equal(at.posts[0].spec, 'general-chat');
    assert.equal(await at.run(() => document.querySelectorAll('[role="listbox"]').length), 0);
  });
  test('goes by the menu when selecting throws', { faults: { selectThrows: true }, errors: true }, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await at.enter();
    await at.posted(1);
    await at.quiet(1);
    assert.equal(at.posts[0].text, 'debug this');
  });
  test('routes without the chat context, by what address and label show', { faults: { noChat: true } }, async (at) => {
    const post = await at.send('debug this');
    assert.equal(post.spec, 'deep-engineering');
    assert.equal((await at.last()).outcome, 'sent');
    assert.equal(await at.run(() => window.smartrouter.adapter.chat), false);
  });
  test('finds the selector of releases whose button has no test id', { faults: { noTestId: true } }, async (at) => {
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('only shows the route when there is no selector, as on a phone with its side bar open', { faults: { noButton: true } }, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    assert.match((await at.view()).hint, /Choose/);
    await plain(at);
    assert.ok((await at.last()).ms < 50);
  });
  test('sends as it is when the selection never settles', { faults: { neverSettles: true }, config: { wait: { select: 300 } } }, async (at) => {
    await plain(at);
    assert.equal((await at.last()).outcome, 'unrouted');
    await at.until(() => /Sent without/.test(document.querySelector('smartrouter-menu').shadowRoot.querySelector('[role=status]').textContent));
  });
  test('waits for a selection that takes its time', { faults: { settleMs: 500 } }, async (at) => {
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
    await at.quiet(1);
  });
  test('writes the text again when the switch empties the composer', {}, async (at) => {
    await at.run(() => {
      window.contract.faults.onSelect = () => {
        const area = document.getElementById('prompt-textarea');
        Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(area, '');
        area.dispatchEvent(new Event('input', { bubbles: true }));
      };
    });
    const post = await at.send('debug this');
    assert.deepEqual([post.text, post.spec], ['debug this', 'deep-engineering']);
    await at.quiet(1);
  });
  test('keeps the text when the switch begins another conversation, and sends nothing', { config: { mode: 'every' } }, async (at) => {
    await at.send('hello');
    await at.run(() => (window.contract.faults.onSelect = () => window.contract.newConversation()));
    await at.write('debug this');
    await at.decided('debug this');
    await at.enter();
    await at.until(() => window.smartrouter.last.outcome === 'kept' && document.getElementById('prompt-textarea').value === 'debug this');
    await at.quiet(1);
  });
  test('sends as it is when the worker crashes', { double: { crash: true, noPreview: true } }, (at) => plain(at));
  test('takes the preview when the worker crashes', { double: { crash: true } }, async (at) => {
    await at.write('debug this');
    await wait(250);
    await at.enter();
    await at.posted(1);
    await at.quiet(1);
    assert.equal(at.posts[0].spec, 'deep-engineering');
  });
  test('sends as it is when nothing can be decided in time', { double: { slowMs: 5000, noPreview: true } }, async (at) => {
    await plain(at);
    assert.ok((await at.last()).ms < 600);
  });
  test('lets typing go on when the preview throws', { double: { previewThrows: true } }, async (at) => {
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('stays away when the router does not load', { double: { loadFails: true }, ready: false, errors: true }, async (at) => {
    await at.until(() => window.smartrouter?.now?.().router === 'failed');
    await plain(at);
    assert.equal(await at.run(() => document.querySelector('smartrouter-chip')?.hidden ?? true), true);
  });
  test('sends at once while the router is still on its way', { double: { loadMs: 4000 }, ready: false }, async (at) => {
    await at.until(() => Boolean(window.smartrouter?.now));
    await plain(at);
    assert.ok((await at.last()).ms < 600);
  });
  for (const [what, missing] of [['router', /\/smartrouter\.js/], ['main module', /main\.js/], ['one of its modules', /chip\.js/], ['script itself', /plugin\.js/]])
    test(`changes nothing and reloads nothing when the ${what} is missing`, { missing, real: what === 'router', ready: false, errors: true }, async (at) => {
      await wait(500);
      await plain(at);
      assert.equal(await at.run(() => sessionStorage.getItem('loads')), '1');
      assert.deepEqual(await at.run(() => window.pageErrors), []);
      assert.equal(await at.run(() => document.querySelector('smartrouter-chip')?.hidden ?? true), true);
    });
  test('a tag without the attribute shows that the reload rule is real', { missing: /plugin\.js/, tag: '<script defer src="smartrouter/plugin.js"></script>', ready: false, errors: true }, async (at) => {
    await at.until(() => sessionStorage.getItem('loads') === '2');
  });
  test('runs with its defaults when its languages, files list and configuration are missing', { missing: /languages|files\.json|smartrouter\.json/ }, async (at) => {
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('says what is wrong with a configuration and goes on', { config: '{ "mode": "never", "modes": 1, "routes": { "general-chat": 5, "x": "y", "deep-engineering": "no-such-spec" } }' }, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    const messages = (await at.run(() => window.smartrouter.messages)).join('\n');
    for (const part of ['"mode" must be one of', 'no setting "modes"', 'routes.general-chat', 'no route "x"', '"no-such-spec", which librechat.yaml does not have']) assert.ok(messages.includes(part), `${part} in ${messages}`);
    await plain(at); // that route is only shown
    assert.equal((await at.last()).why, 'preview');
  });
  test('says that a configuration is no JSON', { config: '{ oops' }, async (at) => {
    assert.match((await at.run(() => window.smartrouter.messages))[0], /is not JSON/);
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
  });
  test('does without storage', {}, async (at) => {
    await at.run(() => {
      for (const name of ['getItem', 'setItem']) Storage.prototype[name] = function () { if (String(arguments[0]).startsWith('smartrouter.')) throw new Error('blocked'); return null; };
    });
    assert.equal((await at.send('debug this')).spec, 'deep-engineering');
    await at.pick('Off');
    assert.equal((await at.view()).kind, 'off');
  });
  test('loses nothing when the host refuses the request', { failPost: true }, async (at) => {
    await at.write('debug this');
    await at.decided('debug this');
    await at.enter();
    await at.posted(1);
    await at.quiet(1);
    await at.write('debug this again');
    await at.decided('debug this again');
    await at.enter();
    await at.posted(2);
    assert.equal(at.posts[1].spec, 'deep-engineering');
  });
  test('takes itself out after stop(), without a trace', {}, async (at) => {
    await at.run(() => window.smartrouter.stop());
    await plain(at);
    assert.equal(await at.run(() => document.querySelectorAll('smartrouter-chip, smartrouter-menu').length), 0);
  });
});
