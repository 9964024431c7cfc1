// The composer: an uncontrolled textarea registered with a small form library that learns of changes by onChange and hands over what
// it knows, not what the element shows.
(function () {
  'use strict';
  const h = React.createElement;
  const { useContext, useEffect, useRef, useState } = React;
  const { contract } = window;
  const Chat = React.createContext(null);
  contract.Chat = Chat;

  contract.Composer = function Composer({ index }) {
    const chat = useContext(Chat);
    const area = useRef(null), send = useRef(null), known = useRef('');
    const [filled, setFilled] = useState(false);
    const conversation = index ? contract.second : chat.conversation;
    const id = conversation.conversationId;
    const lastId = useRef(id);
    const busy = chat.isSubmitting && !index;

    const change = (event) => {
      known.current = event.target.value;
      if (!index) contract.drafts.set(id, known.current);
      setFilled(known.current.trim() !== '');
    };
    const put = (text) => {
      area.current.value = text; // no event, as the form library does it
      known.current = text;
      setFilled(text.trim() !== '');
    };
    // Drafts follow the conversation; a chat that got its id from its first message is no switch
    useEffect(() => {
      if (index || lastId.current === id) return;
      const before = lastId.current;
      lastId.current = id;
      if (contract.born === id) {
        contract.born = null;
        return;
      }
      contract.drafts.set(before, area.current.value);
      put(contract.drafts.get(id));
    }, [id]);
    useEffect(() => {
      if (!index && contract.drafts.get(id)) put(contract.drafts.get(id));
      area.current.focus();
    }, []);

    const submit = async (event) => {
      event.preventDefault();
      const ask = index ? contract.askSecond : chat.ask; // of this render
      const text = known.current;
      await Promise.resolve();
      if (!text.trim() && chat.files.size === 0) return;
      ask({ text });
      contract.drafts.set(id, '');
      put('');
    };
    const keydown = (event) => {
      if (event.key !== 'Enter' || event.shiftKey) return;
      if (event.nativeEvent.isComposing || event.keyCode === 229) return;
      const modified = event.ctrlKey || event.metaKey;
      if (localStorage.getItem('enterToSend') === 'false' && !modified) return;
      event.preventDefault();
      if (send.current) send.current.click();
    };
    contract.voice = (text) => chat.ask({ text }); // voice, starters and prompt entries do not pass through the form

    return h('form', { onSubmit: submit, 'data-index': index },
      h('div', { className: 'box' },
        h('textarea', {
          id: index ? undefined : 'prompt-textarea', name: 'text', 'data-testid': 'text-input', 'aria-label': 'Message input', rows: 1,
          ref: area, onChange: change, onKeyDown: keydown, dir: 'auto',
        }),
        h('div', { className: '@container items-between flex gap-2 pb-2' },
          h('div', { className: 'ml-2' }, h('button', { type: 'button', id: 'attach-file-menu-button', className: 'round', 'aria-label': 'Attach', onClick: chat.attach }, '+')),
          h('button', { type: 'button', className: 'badge' }, 'Web'),
          chat.files.size ? h('span', { className: 'badge', 'data-testid': 'file-chip' }, String(chat.files.size)) : null,
          h('div', { className: 'mx-auto flex' }),
          h('div', { className: 'mr-2' },
            busy && contract.stopShown
              ? h('button', { type: 'button', className: 'round', 'aria-label': 'Stop' }, '■')
              : h('button', {
                  type: 'submit', ref: send, id: index ? undefined : 'send-button', 'data-testid': 'send-button', className: 'round',
                  'aria-label': 'Send message', disabled: (!filled && chat.files.size === 0) || busy || chat.filesLoading,
                }, '↑')))));
  };
})();
