// Bring your own: an OpenAI-compatible embeddings server (its key stays in memory), or a model file from disk.
import { $, fill, h, set } from './dom.js';
import { t, ms, number, percent, onLanguage } from './i18n.js';
import { RouteStore, checkShape, forCompile } from './edit-store.js';
import { trouble } from './words.js';
import { workshop } from './work.js';

const LARGEST_MODEL = 1.5e9;

export function start(page) {
  const own = new Own(page);
  onLanguage(() => own.render());
  return own;
}

class Own {
  constructor(page) {
    Object.assign(this, { page, session: page.session, work: workshop(page), server: { url: '', model: '', key: '', prefix: '' } });
    page.session.addEventListener('router', () => this.#using());
    this.render();
  }
  render() {
    fill($('own-body'), this.#serverCard(), this.#fileCard());
    this.#using();
  }
  #field(name, key, props = {}) {
    const id = `own-${name}`;
    return h('div.field', {}, h('label', { for: id }, t(key)),
      h('input.input', { id, value: this.server[name], autocomplete: 'off', spellcheck: 'false', dir: 'ltr', oninput: ({ target }) => (this.server = { ...this.server, [name]: target.value.trim() }), ...props }));
  }
  #serverCard() {
    this.result = h('div.own-result', { 'aria-live': 'polite' });
    this.go = h('button.button.main', { type: 'submit' }, t('own.go'));
    const form = h('form.card.own-form', { onsubmit: (event) => (event.preventDefault(), this.#connect()) },
      h('h3', {}, t('own.server')),
      h('p.soft', {}, t('own.server.about')),
      this.#field('url', 'own.url', { type: 'url', required: true, placeholder: 'http://localhost:8080/v1' }),
      h('div.pair', {}, this.#field('model', 'own.model', { required: true, placeholder: 'Qwen3-Embedding-8B' }), this.#field('prefix', 'own.prefix', { placeholder: 'query: ' })),
      this.#field('key', 'own.key', { type: 'password' }),
      h('p.soft', {}, t('own.key.about')),
      h('div.row', {}, this.go, this.back()), this.result);
    return form;
  }
  back() {
    const button = h('button.button.own-back', { type: 'button', hidden: true, onclick: () => this.#leave() }, t('own.back'));
    return button;
  }
  #using() {
    const away = !!(this.session.own || this.session.source.modelFile);
    for (const button of document.querySelectorAll('.own-back')) button.hidden = !away;
  }

  async #routes() {
    const edit = this.page.parts.edit;
    if (edit?.store) return edit.store.file;
    const response = await fetch(this.page.urls.routes);
    return (await new RouteStore(checkShape(await response.json())).restore()).file;
  }
  async #connect() {
    const { server } = this;
    this.aborting?.abort();
    const abort = (this.aborting = new AbortController());
    this.go.disabled = true;
    const bar = h('div.progress', { role: 'progressbar', 'aria-label': t('own.working'), 'aria-valuemin': '0', 'aria-valuemax': '100' }, h('span'));
    fill(this.result, h('p', {}, t('own.working')), bar, h('button.link-button', { type: 'button', onclick: () => abort.abort() }, t('cancel')));
    try {
      const started = performance.now();
      const probe = await this.work.ask('embed', { text: 'hello', server }, { signal: abort.signal });
      const took = performance.now() - started;
      const file = await this.#routes();
      const { asset } = await this.work.ask('compile', { file: forCompile(file), mode: 'server', server }, {
        signal: abort.signal, onProgress: ({ compiled = 0 }) => set(bar, { '--done': compiled, 'aria-valuenow': String(Math.round(compiled * 100)) }),
      });
      // Once the visitor has left the server, not one more text goes there.
      const lease = (this.lease = { open: true });
      const embed = async (text, { signal } = {}) => {
        if (!lease.open) throw new DOMException('the server was left', 'AbortError');
        return this.work.ask('embed', { text, server }, { signal });
      };
      Object.defineProperties(embed, { modelId: { value: server.model }, dimensions: { value: probe.length }, prefix: { value: server.prefix } });
      await this.session.useEmbedder(asset, embed, server.model, server);
      const right = await this.#accuracy(asset, 'server', { server }, abort.signal);
      fill(this.result, h('p', {}, t('own.ready', { model: server.model, dimensions: number(probe.length), ms: ms(took) }),
        right === null ? '' : ` ${t('own.right', { percent: percent(right) })}`), this.#tryIt());
    } catch (error) {
      if (abort.signal.aborted) return fill(this.result);
      this.#explain(error, this.result);
    } finally {
      this.go.disabled = false;
    }
  }
  #tryIt() {
    return h('p', {}, h('a', { href: '#try', onclick: () => setTimeout(() => $('prompt').focus(), 50) }, t('own.try')));
  }
  async #accuracy(asset, mode, more, signal) {
    const examples = await (await fetch(this.page.urls.examples)).json();
    const answers = await this.work.ask('evaluate', { asset, prompts: examples.map((e) => e.text), mode, ...more }, { signal }).catch(() => null);
    return answers && answers.filter((route, i) => route === examples[i].route).length / answers.length;
  }
  #explain(error, box) {
    const { text, detail } = trouble(error, 'own');
    const cors = error.code === 'SR_FETCH' && !/answered \d/.test(error.message);
    fill(box, h('div.notice', { role: 'alert' }, h('p', {}, text),
      cors && [h('p', {}, t('own.cors')), h('pre', { tabindex: '0', dir: 'ltr' }, `Access-Control-Allow-Origin: ${location.origin}\nAccess-Control-Allow-Headers: authorization, content-type\nAccess-Control-Allow-Methods: POST`),
        location.protocol === 'https:' && /^http:\/\/(?!localhost|127\.)/.test(this.server.url) && h('p', {}, t('own.mixed'))],
      h('p.soft', { dir: 'auto' }, detail)));
  }
  async #leave() {
    this.aborting?.abort();
    if (this.lease) this.lease.open = false;
    this.server = { ...this.server, key: '' };
    this.work.stop();
    await this.session.reset();
    this.page.parts.edit?.compile();
    this.render();
  }

  // ---- a model file

  #fileCard() {
    this.fileResult = h('div.own-result', { 'aria-live': 'polite' });
    const picker = h('input', { type: 'file', accept: '.srm', hidden: true, onchange: () => this.#open(picker.files[0]).finally(() => (picker.value = '')) });
    const drop = h('div.drop', {
      ondragover: (event) => (event.preventDefault(), drop.classList.add('over')),
      ondragleave: () => drop.classList.remove('over'),
      ondrop: (event) => {
        event.preventDefault();
        drop.classList.remove('over');
        this.#open(event.dataTransfer.files[0]);
      },
    }, h('p', {}, t('own.file.drop')), h('button.button', { type: 'button', id: 'own-pick', onclick: () => picker.click() }, t('own.file.pick')), picker);
    return h('div.card.own-form', {}, h('h3', {}, t('own.file')), h('p.soft', {}, t('own.file.about')), drop, this.fileResult, h('div.row', {}, this.back()));
  }
  async #open(file) {
    if (!file) return;
    const box = this.fileResult;
    try {
      if (file.size > LARGEST_MODEL) throw Object.assign(new Error(t('import.large')), { code: 'SR_E_LIMIT' });
      fill(box, h('p', {}, t('own.file.reading')));
      const model = new Uint8Array(await file.arrayBuffer());
      if (model[0] !== 0x53 || model[1] !== 0x52) throw Object.assign(new Error(file.name), { code: 'SR_E_MAGIC' });
      const bar = h('div.progress', { role: 'progressbar', 'aria-label': t('own.working'), 'aria-valuemin': '0', 'aria-valuemax': '100' }, h('span'));
      fill(box, h('p', {}, t('own.working')), bar);
      const { asset } = await this.work.ask('compile', { file: forCompile(await this.#routes()), mode: 'model', model }, {
        onProgress: ({ compiled = 0 }) => set(bar, { '--done': compiled, 'aria-valuenow': String(Math.round(compiled * 100)) }),
      });
      const right = await this.#accuracy(asset, 'model', { model });
      await this.session.useModel(model, asset);
      fill(box, h('p', {}, t('own.file.ready', { name: file.name }), right === null ? '' : ` ${t('own.right', { percent: percent(right) })}`), this.#tryIt());
    } catch (error) {
      this.#explain(error, box);
    }
  }
}
