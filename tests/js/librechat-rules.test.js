// The plugin's rules without a page.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { checkConfig, checkTargets } from '../../web/librechat/config.js';
import { Conversations, differs } from '../../web/librechat/conversations.js';
import { mayDownload } from '../../web/librechat/decisions.js';
import { report } from '../../web/librechat/log.js';
import { mayRoute, toneOf, vote, whereTo } from '../../web/librechat/policy.js';
import { ENGLISH, LANGUAGES, fill, pickLanguage } from '../../web/librechat/texts.js';

test('every language has every text, with the same values in it', () => {
  const folder = new URL('../../web/librechat/languages/', import.meta.url);
  assert.deepEqual(readdirSync(folder).sort(), LANGUAGES.map((name) => `${name}.json`).sort());
  const values = (text) => (text.match(/\{\w+\}/g) || []).sort().join();
  for (const language of LANGUAGES) {
    const texts = JSON.parse(readFileSync(new URL(`${language}.json`, folder)));
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(ENGLISH).sort(), language);
    for (const [name, text] of Object.entries(texts)) assert.equal(values(text), values(ENGLISH[name]), `${language}.${name}`);
    if (language === 'en') assert.deepEqual(texts, ENGLISH);
  }
});

test('a language is picked by its base, English stands in', () => {
  for (const [tag, language] of [['de-AT', 'de'], ['pt_BR', 'pt'], ['PL', 'pl'], ['ar', 'en'], ['', 'en'], [undefined, 'en'], ['zh-Hans', 'en']]) assert.equal(pickLanguage(tag), language);
  assert.equal(fill('to {route} {x}', { route: 'A' }), 'to A {x}');
});

test('a configuration is completed, and each mistake named with what would be right', () => {
  assert.deepEqual(checkConfig(undefined).messages, []);
  const { config, messages } = checkConfig({
    mode: 'sometimes', auto: 'yes', log: 1, confidence: { route: 2, sure: 0.3, extra: 1 }, wait: { decide: -1, select: 900 },
    routes: { a: 'spec-a', b: { endpoint: 'E', model: 'm' }, c: null, d: 7, e: { endpoint: 'E' } }, embedder: { type: 'server', url: '/v1' }, files: { asset: 3 }, '// note': 'kept',
  });
  assert.equal(config.mode, 'first');
  assert.equal(config.auto, true);
  assert.deepEqual(config.routes, { a: { spec: 'spec-a' }, b: { endpoint: 'E', model: 'm' }, c: null });
  assert.deepEqual(config.wait, { decide: 150, select: 900 });
  assert.deepEqual(config.confidence, { route: 0.4, sure: 0.4 });
  assert.equal(config.embedder.type, 'encoder');
  for (const part of ['"mode" must be one of "first", "sure", "every"', '"auto"', '"log"', 'confidence.route', '"confidence.extra"', 'wait.decide', 'routes.d', 'routes.e', 'needs "url" and "model"', 'files.asset', 'lower than'])
    assert.ok(messages.some((message) => message.includes(part)), part);
  for (const odd of [null, [], 'text', 5]) assert.equal(checkConfig(odd).messages.length, 1);
});

test('a name that LibreChat does not have is told with those that it has, and its route only shown', () => {
  const { messages, missing } = checkTargets({ a: { spec: 'x' }, b: { spec: 'y' }, c: { endpoint: 'E', model: 'm' }, d: null }, [{ name: 'x' }, { name: 'z' }], [{ value: 'F' }]);
  assert.deepEqual([...missing], ['b', 'c']);
  assert.match(messages[0], /"y".*it has: x, z/s);
});

const adapter = { isAt: (state, target) => state.spec === target.spec, crosses: () => ({ other: false, assistants: false }), wayTo: () => 'context' };
const base = {
  state: { id: 'new', isNew: true, spec: 'g', busy: false, files: 0 }, record: { vote: '' }, auto: true, manual: false, pin: null, mode: 'first', text: 'hi',
  decision: { route: 'a', confidence: 0.9 }, targets: { a: { spec: 'a' }, g: { spec: 'g' } }, missing: new Set(), config: checkConfig(undefined).config, adapter, modular: true,
};
const later = { state: { ...base.state, id: 'x', isNew: false } };
const rule = (more) => {
  const context = { ...base, ...more };
  const may = mayRoute(context);
  const plan = may.go === 'decide' ? whereTo(context) : may;
  return plan.go === 'switch' ? plan.route : plan.why;
};

test('the rules of the send', () => {
  assert.equal(rule({}), 'a');
  assert.equal(rule({ state: null }), 'unknown');
  assert.equal(rule({ state: { ...base.state, busy: true } }), 'busy');
  assert.equal(rule({ text: ' \n' }), 'empty');
  assert.equal(rule({ state: { ...base.state, files: 1 } }), 'files');
  assert.equal(rule({ state: { ...base.state, files: 1 }, pin: 'a' }), 'files');
  assert.equal(rule({ auto: false }), 'off');
  assert.equal(rule({ auto: false, pin: 'a' }), 'a');
  assert.equal(rule({ manual: true }), 'manual');
  assert.equal(rule(later), 'first');
  assert.equal(rule({ ...later, pin: 'a' }), 'a');
  assert.equal(rule({ decision: null }), 'undecided');
  assert.equal(rule({ decision: { route: 'a', confidence: 0.1 } }), 'unsure');
  assert.equal(rule({ decision: { route: 'g', confidence: 0.9 } }), 'there');
  assert.equal(rule({ missing: new Set(['a']) }), 'preview');
  assert.equal(rule({ targets: { a: null } }), 'preview');
  assert.equal(rule({ adapter: { ...adapter, wayTo: () => null } }), 'preview');
  const every = { ...later, mode: 'every' };
  assert.equal(rule(every), 'a');
  assert.equal(rule({ ...every, modular: false, adapter: { ...adapter, crosses: () => ({ other: true, assistants: false }) } }), 'endpoint');
  assert.equal(rule({ ...every, adapter: { ...adapter, crosses: () => ({ other: false, assistants: true }) } }), 'endpoint');
  const sure = { ...later, mode: 'sure' };
  assert.equal(rule(sure), 'once');
  assert.equal(rule({ ...sure, record: { vote: 'a' } }), 'a');
  assert.equal(rule({ ...sure, record: { vote: 'a' }, decision: { route: 'a', confidence: 0.6 } }), 'unsure');
  const record = {};
  vote(record, { route: 'a', confidence: 0.9 }, base.config);
  assert.equal(record.vote, 'a');
  vote(record, { route: 'a', confidence: 0.5 }, base.config);
  assert.equal(record.vote, '');
  assert.deepEqual([null, { confidence: 0.2 }, { confidence: 0.5 }, { confidence: 0.9 }, { confidence: 0.9, uncertain: true }].map((decision) => toneOf(decision, base.config)), ['none', 'unsure', 'fair', 'sure', 'fair']);
});

test('a choice is another spec, or another model where there is no spec', () => {
  const at = (spec, endpoint, model, agent) => ({ spec, endpoint, model, agent });
  assert.equal(differs(at('a', 'E', 'm'), at('a', 'E', 'n')), false);
  assert.equal(differs(at('a'), at('b')), true);
  assert.equal(differs(at('a', 'E', 'm'), at('', 'E', 'm')), false, 'a server that drops the spec');
  assert.equal(differs(at('a', 'E', 'm'), at('', 'E', 'n')), true);
  assert.equal(differs(at('', 'E', 'm'), at('a', 'E', 'm')), true);
  assert.equal(differs(at('', '', ''), at('a', 'E', 'm')), false, 'it was being set up');
  assert.equal(differs(at('', 'E', null), at('', 'E', undefined)), false);
});

test('only a change after a press is a person\'s', () => {
  let now = 0;
  const make = () => new Conversations({ ours: (state) => ['a', 'g'].includes(state.spec), now: () => now });
  const at = (spec, id = 'new') => ({ id, isNew: id === 'new', spec, endpoint: 'E', model: 'm', agent: '' });
  let all = make();
  assert.equal(all.isManual(all.observe(at('', 'new'))), true, 'a model of its own');
  now = 100;
  assert.equal(all.isManual(all.observe(at('g'))), false, 'set up in steps');
  all.input((now = 200));
  assert.equal(all.isManual(all.observe(at('a'))), true);

  all = make();
  now = 300;
  all.observe(at('g'));
  now = 310;
  all.input(); // Enter
  all.begin();
  assert.equal(all.isManual(all.observe(at('a'))), false, 'our own switch');
  now = 330;
  all.end(at('a'));
  all.sent(all.observe(at('a')));
  now = 400;
  const born = all.observe(at('a', 'id1'));
  assert.equal(all.isManual(born), false);
  assert.equal(born.id, 'id1');
  now = 500;
  all.input();
  assert.equal(all.isManual(all.observe(at('g', 'id1'))), true);
  assert.equal(all.isManual(all.observe(at('g'))), false, 'a new chat begins anew');
  assert.equal(all.isManual(all.observe(at('g', 'id1'))), true, 'and the old one is remembered');
  all.setManual(all.observe(at('g', 'id1')), false);
  assert.equal(all.isManual(all.observe(at('g', 'id1'))), false);
  assert.equal(all.isManual(all.observe(at('other', 'id2'))), true, 'none of ours');
  for (let i = 0; i < 1000; i++) all.observe(at('g', `many${i}`));
  assert.ok(all.records.size <= 301);
});

test('the encoder is fetched as the policy says', () => {
  const line = (connection) => ({ connection });
  assert.equal(mayDownload('never', {}, false), false);
  assert.equal(mayDownload('focus', {}, true), true);
  assert.equal(mayDownload('wifi', {}, false), true, 'a computer that does not tell');
  assert.equal(mayDownload('wifi', {}, true), false, 'a phone that does not tell');
  assert.equal(mayDownload('wifi', line({ type: 'wifi' }), true), true);
  assert.equal(mayDownload('wifi', line({ type: 'cellular' }), false), false);
  assert.equal(mayDownload('wifi', line({ type: 'wifi', saveData: true }), false), false);
  assert.equal(mayDownload('wifi', line({ effectiveType: '4g' }), false), true);
  assert.equal(mayDownload('wifi', line({ effectiveType: '3g' }), false), false);
});

test('the report counts overrides by proposed route', () => {
  const list = [
    { route: 'a', override: false, outcome: 'sent', ms: 10 }, { route: 'a', override: true, outcome: 'sent', ms: 30 },
    { route: 'b', override: false, outcome: 'there', ms: 0 }, { route: null, outcome: 'off' },
  ];
  const { messages, proposed, overridden, rate, medianMs, routes } = report(list);
  assert.deepEqual([messages, proposed, overridden, rate, medianMs, routes.a.rate], [4, 3, 1, 1 / 3, 30, 0.5]);
});
