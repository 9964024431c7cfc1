// LibreChat from outside. Every step looks for what it needs at the moment of use, and `found` says what there was.
import { contextAnywhere, contextAround } from './react.js';
import { selectByMenu } from './menu-click.js';

// `files` and `newConversation` too: the context of an added conversation lies nearer to the textarea and has the rest
const isChat = (value) =>
  'conversation' in value && 'isSubmitting' in value && 'files' in value &&
  typeof value.setConversation === 'function' && typeof value.newConversation === 'function';
const isQueries = (value) => typeof value.getQueryCache === 'function';
const isSelector = (value) => typeof value.handleSelectSpec === 'function';
const isAssistants = (endpoint) => /assistants$/i.test(endpoint || '');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Writes as a user would: the form library only listens to the native setter and an input event. */
export function setText(textarea, text) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(textarea, text);
  textarea.dispatchEvent(new Event('input', { bubbles: true }));
}

export class Adapter {
  constructor() {
    this.found = { composer: false, chat: false, selector: null };
    this.specs = null; // the last seen: the selector is not mounted while a phone shows its side bar
    this.endpoints = null;
  }

  /** The primary composer: split view has a second one, which is left alone. */
  composer() {
    const textarea = document.getElementById('prompt-textarea') || document.querySelector('textarea[data-testid="text-input"]');
    const form = textarea instanceof HTMLTextAreaElement ? textarea.closest('form') : null;
    this.found.composer = Boolean(form);
    return form ? { textarea, form } : null;
  }
  sendButton(form) {
    return form.querySelector('#send-button, [data-testid="send-button"]') || form.querySelector('button[type="submit"]');
  }
  selectorButton() {
    return document.querySelector('[data-testid="model-selector-button"]') || this.#olderButton();
  }
  // Before v0.8.7 the button had no test id: it is a header button that shows the name of the spec or model.
  #olderButton() {
    const labels = new Set((this.specs || []).map((spec) => spec.label));
    for (const button of document.querySelectorAll('button[aria-haspopup], header button, [role="banner"] button'))
      if (labels.has(button.textContent.trim()) && !button.closest('form')) return button;
    return null;
  }

  chat() {
    const value = contextAround(this.composer()?.textarea, isChat);
    this.found.chat = Boolean(value);
    return value;
  }
  /** The model selector's context, or null. */
  selector() {
    const button = document.querySelector('[data-testid="model-selector-button"]');
    let value = contextAround(button, isSelector);
    if (!value && !button) value = this.#anywhere();
    this.found.selector = value ? 'context' : button || this.#olderButton() ? 'menu' : null;
    if (value && Array.isArray(value.modelSpecs)) this.specs = value.modelSpecs;
    else if (!this.specs) this.specs = this.#specsFetched();
    if (value && Array.isArray(value.mappedEndpoints)) this.endpoints = value.mappedEndpoints;
    return value;
  }
  // The menu needs labels when the selector's names have changed: the page's own query cache holds the startup configuration.
  #specsFetched() {
    const queries = contextAround(this.composer()?.textarea, isQueries)?.getQueryCache().getAll?.() || [];
    return queries.map((query) => query.state?.data?.modelSpecs?.list).find(Array.isArray) || null;
  }
  // A walk through the whole tree: at most every two seconds while it finds nothing.
  #anywhere() {
    const now = performance.now();
    if (this.missedAt && now - this.missedAt < 2000) return null;
    const value = contextAnywhere(this.composer()?.textarea, isSelector);
    this.missedAt = value ? 0 : now;
    return value;
  }

  /** What is known of the conversation now. Without the chat context: what address and labels show. */
  state() {
    const chat = this.chat();
    if (chat) {
      const conversation = chat.conversation;
      if (!conversation) return null;
      const id = conversation.conversationId || 'new';
      return {
        id,
        isNew: id === 'new',
        spec: conversation.spec || '',
        endpoint: conversation.endpoint || '',
        model: conversation.model || '',
        agent: conversation.agent_id || '',
        busy: Boolean(chat.isSubmitting),
        files: chat.files?.size || 0,
        certain: true,
      };
    }
    const composer = this.composer();
    if (!composer) return null;
    const id = /\/c\/([^/?#]+)/.exec(location.pathname)?.[1] || 'new';
    const label = this.selectorButton()?.textContent.trim() || '';
    const spec = (this.specs || []).find((item) => item.label === label);
    return {
      id,
      isNew: id === 'new',
      spec: spec?.name || '',
      endpoint: spec?.preset?.endpoint || '',
      model: spec ? '' : label,
      agent: '',
      busy: !this.sendButton(composer.form),
      files: composer.form.querySelectorAll('img, [data-testid*="file"]').length,
      certain: false,
    };
  }

  specNamed(name) {
    return (this.specs || []).find((spec) => spec.name === name);
  }
  labelOf(target) {
    return (target?.spec ? this.specNamed(target.spec)?.label : target?.model) || '';
  }
  endpointOf(target) {
    return target?.endpoint || this.specNamed(target?.spec)?.preset?.endpoint || '';
  }
  isAt(state, target) {
    if (!target) return false;
    if (target.spec) return state.spec === target.spec;
    return !state.spec && state.endpoint === target.endpoint && (state.model === target.model || state.agent === target.model);
  }
  /** Would LibreChat begin a new conversation for this target? */
  crosses(state, target) {
    const there = this.endpointOf(target);
    return { other: there !== '' && state.endpoint !== there, assistants: isAssistants(there) || isAssistants(state.endpoint) };
  }

  /** Is there any way to switch to it now? 'context', 'menu' or null. */
  wayTo(target) {
    const selector = this.selector();
    if (selector && target.spec && selector.modelSpecs?.some((spec) => spec.name === target.spec)) return 'context';
    if (selector && target.endpoint && typeof selector.handleSelectModel === 'function') {
      if (selector.mappedEndpoints?.some((endpoint) => endpoint.value === target.endpoint)) return 'context';
    }
    return target.spec && this.selectorButton() ? 'menu' : null;
  }

  /** Switches as a click in the model menu would. Resolves to 'settled', 'late' or 'none'; never rejects. */
  async select(target, limitMs) {
    const until = performance.now() + limitMs;
    let way = this.wayTo(target);
    try {
      if (way === 'context') {
        const selector = this.selector();
        if (target.spec) selector.handleSelectSpec(selector.modelSpecs.find((spec) => spec.name === target.spec));
        else selector.handleSelectModel(selector.mappedEndpoints.find((item) => item.value === target.endpoint), target.model);
      }
    } catch (error) {
      this.found.selectError = String(error);
      way = target.spec && this.selectorButton() ? 'menu' : null;
    }
    this.found.way = way;
    if (way === 'menu') {
      const done = await selectByMenu(this.selectorButton(), [this.labelOf(target), target.label, target.spec], until).catch(() => false);
      if (!done) return 'none';
    }
    return way ? this.#settled(target, until) : 'none';
  }
  async #settled(target, until) {
    for (let wait = 0; ; wait = Math.min(wait + 2, 10)) {
      await (wait ? pause(wait) : null);
      const state = this.state();
      if (state && this.isAt(state, target)) return 'settled';
      if (performance.now() > until) return 'late';
    }
  }
}
