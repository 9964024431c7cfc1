// What the plugin takes for granted of LibreChat, checked against its published data provider.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkConfig, checkTargets, targetsFor } from '../../web/librechat/config.js';

const require = createRequire(import.meta.url);
const provider = require('librechat-data-provider');
const yaml = createRequire(require.resolve('librechat-data-provider'))('js-yaml'); // what it reads its own with
const here = (name) => readFileSync(new URL(`../../web/librechat/${name}`, import.meta.url), 'utf8');
const example = yaml.load(here('librechat.yaml'));
const ROUTES = ['general-chat', 'creative-writing', 'deep-engineering', 'logic-science', 'agents-tools'];

test('the example librechat.yaml passes LibreChat\'s own schema', () => {
  const whole = provider.configSchema.safeParse(example);
  assert.ok(whole.success, JSON.stringify(whole.error?.issues));
  const specs = provider.specsConfigSchema.safeParse(example.modelSpecs);
  assert.ok(specs.success, JSON.stringify(specs.error?.issues));
  assert.deepEqual(specs.data.list.map((spec) => spec.name), ROUTES);
  for (const [i, spec] of specs.data.list.entries()) {
    assert.ok(provider.tModelSpecSchema.safeParse(spec).success);
    // nothing that we wrote is dropped or renamed by the schema
    assert.deepEqual(Object.keys(spec.preset).sort().filter((key) => key in example.modelSpecs.list[i].preset), Object.keys(example.modelSpecs.list[i].preset).sort());
  }
});

test('the example makes General Chat the start of every new chat, and the server obey the spec', () => {
  assert.deepEqual(example.modelSpecs.list.filter((spec) => spec.default).map((spec) => spec.name), ['general-chat']);
  assert.equal(example.modelSpecs.enforce, true);
});

test('a schema that was made wrong on purpose fails', () => {
  const wrong = structuredClone(example.modelSpecs);
  delete wrong.list[0].preset;
  assert.equal(provider.specsConfigSchema.safeParse(wrong).success, false);
});

test('the example smartrouter.json is complete, right, and names the example\'s specs', () => {
  const { config, messages } = checkConfig(JSON.parse(here('smartrouter.json')));
  assert.deepEqual(messages, []);
  const routes = ROUTES.map((id) => ({ id, label: id, target: '' }));
  const targets = targetsFor(routes, config);
  const checked = checkTargets(targets, example.modelSpecs.list, []);
  assert.deepEqual(checked.messages, []);
  assert.equal(checked.missing.size, 0);
});

test('a route may be called as parts of objects are', () => {
  const { config } = checkConfig({ routes: { toString: 'text-spec' } });
  const targets = targetsFor(['constructor', 'toString', '__proto__'].map((id) => ({ id, label: 'L', target: '' })), config);
  assert.deepEqual(Object.entries(targets).map(([id, target]) => [id, target.spec]),
    [['constructor', 'constructor'], ['toString', 'text-spec'], ['__proto__', '__proto__']]);
});

test('a message goes to /api/agents/chat/<endpoint> with the spec, model and endpoint of the conversation', () => {
  for (const spec of example.modelSpecs.list) {
    const agents = spec.preset.endpoint === 'agents';
    const conversation = { conversationId: 'new', endpointType: agents ? undefined : 'custom', spec: spec.name, ...spec.preset };
    const { server, payload } = provider.createPayload({
      conversation,
      userMessage: { text: 'hello', messageId: 'm', parentMessageId: 'p', conversationId: null, sender: 'User', isCreatedByUser: true },
      endpointOption: { ...spec.preset, endpointType: conversation.endpointType, spec: spec.name },
      isTemporary: false, isEdited: false,
    });
    assert.equal(server, `/api/agents/chat/${encodeURIComponent(spec.preset.endpoint)}`);
    assert.equal(payload.spec, spec.name);
    assert.equal(payload.endpoint, spec.preset.endpoint);
    if (agents) assert.equal(payload.agent_id, spec.preset.agent_id);
    else assert.equal(payload.model, spec.preset.model);
  }
});

test('names in the browser\'s storage and constants are the ones that we read', () => {
  const { LocalStorageKeys, Constants, EModelEndpoint } = provider;
  assert.equal(LocalStorageKeys.TEXT_DRAFT, 'textDraft_');
  assert.equal(LocalStorageKeys.LAST_SPEC, 'lastSelectedSpec');
  assert.equal(Constants.NEW_CONVO, 'new');
  assert.match(EModelEndpoint.assistants, /assistants$/i);
  assert.match(EModelEndpoint.azureAssistants, /assistants$/i);
  for (const endpoint of ['agents', 'openAI', 'custom', 'google', 'anthropic']) assert.equal(provider.isAssistantsEndpoint(endpoint), /assistants$/i.test(endpoint));
});
