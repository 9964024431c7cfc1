// The page around it: model selector with its context and its menu in a portal, conversations, split view, remounts.
(function () {
  'use strict';
  const h = React.createElement;
  const { useContext, useLayoutEffect, useRef, useState } = React;
  const { contract } = window;
  const { Chat, Composer, specs, endpoints, faults, isAssistants, fromSpec, fresh, xhr } = contract;
  const Selector = React.createContext(null);
  const Plain = React.createContext(null);
  const Added = React.createContext(null);
  // older releases: the added conversation's helpers look much like the chat's
  const added = { conversation: null, setConversation() {}, ask() {}, isSubmitting: false, setIsSubmitting() {} };
  const queries = { getQueryCache: () => ({ getAll: () => [{ state: { data: null } }, { state: { data: { modelSpecs: { list: specs } } } }] }) };

  function start() {
    const wanted = new URLSearchParams(location.search).get('spec');
    const item = specs.find((one) => one.name === wanted) || specs.find((one) => one.default);
    const known = /\/c\/([^/?]+)$/.exec(location.pathname);
    const stored = known && known[1] !== 'new' && JSON.parse(localStorage.getItem('conv_' + known[1]) || 'null');
    return stored || fromSpec(fresh(), item);
  }

  function App() {
    const [conversation, setNow] = useState(start);
    const [files, setFiles] = useState(new Map());
    const [filesLoading, setFilesLoading] = useState(false);
    const [isSubmitting, setSubmitting] = useState(false);
    const [list, setList] = useState([]);
    const [view, setView] = useState({ page: 'chat', split: false, side: true });
    const latest = useRef(conversation);
    latest.current = conversation;
    contract.renders++;

    // Setting a conversation takes effect after the event that asked for it
    const setConversation = (next) => {
      if (faults.neverSettles) return;
      const apply = () => setNow((now) => (typeof next === 'function' ? next(now) : next));
      if (faults.settleMs) setTimeout(apply, faults.settleMs);
      else Promise.resolve().then(apply);
    };
    const newConversation = ({ preset } = {}) => {
      setFiles(new Map());
      const item = preset || specs.find((one) => one.default);
      const next = fromSpec(fresh(), item);
      history.pushState({}, '', preset ? '/c/new?spec=' + item.name : '/c/new');
      setConversation(next);
    };
    const switchTo = (item, base) => {
      const existing = conversation.conversationId !== 'new';
      const other = item.preset.endpoint !== conversation.endpoint;
      const modular = localStorage.getItem('modularChat') !== 'false' && !isAssistants(item.preset.endpoint) && !isAssistants(conversation.endpoint);
      if (existing && (!other || modular)) setConversation((now) => ({ ...fromSpec(now, item), ...base }));
      else newConversation({ preset: item });
      const area = document.getElementById('prompt-textarea');
      if (area) area.focus();
    };
    const handleSelectSpec = (item) => {
      contract.selections++;
      if (faults.selectThrows) throw new Error('the host failed');
      if (faults.onSelect) faults.onSelect(item);
      switchTo(item);
    };
    const handleSelectModel = (endpoint, model) => {
      contract.selections++;
      const existing = conversation.conversationId !== 'new';
      setConversation((now) => ({ ...(existing ? now : fresh()), endpoint: endpoint.value, endpointType: 'custom', model, agent_id: null, spec: null }));
    };

    const ask = ({ text }) => {
      contract.asks++;
      if (isSubmitting) return;
      setSubmitting(true);
      const sent = conversation; // of the render that the form belongs to
      const isNew = sent.conversationId === 'new';
      const body = {
        text, endpoint: sent.endpoint, endpointType: sent.endpointType, model: sent.model || undefined, spec: sent.spec || undefined,
        agent_id: sent.agent_id || undefined, conversationId: isNew ? undefined : sent.conversationId, messageId: crypto.randomUUID(),
        files: [...files.keys()], promptPrefix: isNew ? undefined : sent.promptPrefix || undefined,
      };
      setFiles(new Map());
      xhr('POST', '/api/agents/chat/' + encodeURIComponent(sent.endpoint), body, (reply) => {
        if (!reply || reply.status !== 200) {
          setSubmitting(false);
          return;
        }
        const { streamId, conversationId } = JSON.parse(reply.responseText);
        if (isNew) {
          contract.born = conversationId;
          setNow((now) => (now.conversationId === 'new' ? { ...now, conversationId, createdAt: 'now' } : now));
          history.replaceState({}, '', '/c/' + conversationId);
        }
        xhr('GET', '/api/agents/chat/stream/' + streamId, null, () => {
          const stored = { ...sent, conversationId, createdAt: 'now' };
          localStorage.setItem('conv_' + conversationId, JSON.stringify(stored));
          setList((now) => [stored, ...now.filter((one) => one.conversationId !== conversationId)].slice(0, 40));
          setNow((now) => (now.conversationId === conversationId ? { ...now, promptPrefix: stored.promptPrefix } : now));
          setSubmitting(false);
          contract.answers++;
        });
      });
    };
    contract.second = { conversationId: 'new2', spec: 'other', endpoint: 'Fast' };
    contract.askSecond = ({ text }) =>
      xhr('POST', '/api/agents/chat/Fast', { text, endpoint: 'Fast', model: 'other-chat', spec: 'other', second: true }, () => {});
    const open = (stored) => {
      history.pushState({}, '', '/c/' + stored.conversationId);
      setNow(JSON.parse(localStorage.getItem('conv_' + stored.conversationId)) || stored);
    };
    const attach = () => {
      if (faults.filesLoad) {
        setFilesLoading(true);
        setTimeout(() => setFilesLoading(false), faults.filesLoad);
      }
      setFiles((now) => new Map([...now, ['file' + (now.size + 1), { name: 'a.csv' }]]));
    };
    // what tests see is what is on the screen, not what is about to be
    useLayoutEffect(() => {
      Object.assign(contract, { open, list, setView, view, conversation, isSubmitting, setSubmitting, newConversation, handleSelectSpec, handleSelectModel });
    });

    const chat = faults.noChat
      ? { talk: conversation, conversation, ask, files, filesLoading, isSubmitting, attach, put: setConversation }
      : { conversation, setConversation, newConversation, ask, files, setFiles, filesLoading, isSubmitting, attach };
    const selector = faults.noSelector
      ? { pickSpec: handleSelectSpec, pickModel: handleSelectModel, specList: specs }
      : { handleSelectSpec, handleSelectModel, modelSpecs: faults.specs || specs, mappedEndpoints: endpoints, endpointsConfig: {} };
    return h(Plain.Provider, { value: faults.noQueries ? 'light' : queries }, h(Chat.Provider, { value: chat },
      h('div', { className: 'page' + (view.side ? '' : ' side') },
        h('nav', null,
          h('button', { type: 'button', 'data-testid': 'new-chat-button', onClick: () => newConversation() }, 'New chat'),
          h('div', { className: 'list' }, list.map((one) =>
            h('button', { key: one.conversationId, type: 'button', className: 'item', onClick: () => open(one) }, one.conversationId.slice(0, 8))))),
        view.page === 'agents'
          ? h('main', null, h('h1', null, 'Agents'))
          : h('main', null,
              h('header', null, faults.noButton ? null : h(Selector.Provider, { value: selector }, h(ModelSelector, { pick: handleSelectSpec, model: handleSelectModel }))),
              h('div', { className: 'log' }, conversation.conversationId + ' ' + (conversation.spec || conversation.model)),
              h(Added.Provider, { value: added }, h(Composer, { index: 0, key: 'first' + (view.mount || 0) })), view.split ? h(Composer, { index: 1, key: 'second' }) : null))));
  }

  function ModelSelector({ pick, model }) {
    const { conversation } = useContext(Chat);
    const [open, setOpen] = useState(false);
    const current = specs.find((one) => one.name === conversation.spec);
    const label = current ? current.label : conversation.model || 'Select a model';
    const toggle = () => (open ? setOpen(false) : setTimeout(() => setOpen(true), 40));
    const option = (text, click) =>
      h('div', { role: 'option', key: text, id: 'o' + Math.random(), tabIndex: -1, onClick: () => (setOpen(false), click && click()) }, h('span', { className: 'truncate' }, text));
    return h(React.Fragment, null,
      h('button', { type: 'button', 'data-testid': faults.noTestId ? undefined : 'model-selector-button', 'aria-haspopup': 'listbox', 'aria-label': 'Select a model', onClick: toggle }, h('span', null, label)),
      open && ReactDOM.createPortal(
        h('div', { role: 'listbox', className: 'listbox', onKeyDown: (event) => event.key === 'Escape' && setOpen(false) },
          specs.filter((one) => !one.group).map((one) => option(one.label, () => pick(one))),
          option('Grouped'),
          endpoints.map((endpoint) => option(endpoint.label + ' models', () => model(endpoint, endpoint.models[0])))),
        document.body));
  }

  ReactDOM.createRoot(document.getElementById('root')).render(h(App));
})();
