// What the host holds and does, as the integration facts describe it: specs, endpoints, conversations, drafts, a two-step send.
(function () {
  'use strict';
  const spec = (name, label, preset, more) => ({ name, label, preset, ...more });
  const specs = [
    spec('general-chat', 'General Chat', { endpoint: 'Fast', model: 'small-chat' }, { default: true }),
    spec('creative-writing', 'Creative Writing', { endpoint: 'Strong', model: 'writer', promptPrefix: 'You write.' }),
    spec('deep-engineering', 'Deep Engineering', { endpoint: 'Strong', model: 'engineer' }),
    spec('logic-science', 'Logic & Science', { endpoint: 'Strong', model: 'reasoner' }, { group: 'Grouped' }),
    spec('agents-tools', 'Agents & Tools', { endpoint: 'agents', agent_id: 'agent_1' }),
    spec('other', 'Other Spec', { endpoint: 'Fast', model: 'other-chat' }),
    spec('assistant', 'An Assistant', { endpoint: 'assistants', model: 'assistant-model', assistant_id: 'asst_1' }),
  ];
  const endpoints = [
    { value: 'Fast', label: 'Fast', models: ['small-chat', 'other-chat'] },
    { value: 'Strong', label: 'Strong', models: ['writer', 'engineer', 'reasoner'] },
  ];
  const faults = Object.assign({}, window.presetFaults);
  const isAssistants = (endpoint) => /assistants$/i.test(endpoint || '');

  const fromSpec = (base, item) => ({
    ...base,
    endpoint: item.preset.endpoint,
    endpointType: item.preset.endpoint === 'agents' ? undefined : 'custom',
    model: item.preset.model || null,
    agent_id: item.preset.agent_id || null,
    promptPrefix: item.preset.promptPrefix || null,
    spec: item.name,
  });
  const fresh = () => ({ conversationId: 'new', title: 'New Chat', createdAt: '', endpoint: null, spec: null, model: null, agent_id: null });

  function xhr(method, url, body, done) {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.setRequestHeader('Content-Type', 'application/json');
    request.onloadend = () => done(request.status ? request : null);
    request.send(body === null ? null : JSON.stringify(body));
  }

  const drafts = {
    get: (id) => localStorage.getItem('textDraft_' + id) || '',
    set: (id, text) => (text.length > 1 ? localStorage.setItem('textDraft_' + id, text) : localStorage.removeItem('textDraft_' + id)),
  };

  window.contract = { specs, endpoints, faults, isAssistants, fromSpec, fresh, xhr, drafts, renders: 0, selections: 0, asks: 0, answers: 0 };
})();
