// What an edit does: accuracy on the example prompts before and after, and which of them go elsewhere.
import { fill, h, set, shapeOf } from './dom.js';
import { t, ms, number, percent } from './i18n.js';
import { trouble } from './words.js';

const MOST_FLIPS = 12;

export class Changes {
  constructor(edit, examples) {
    Object.assign(this, { edit, examples, before: new Map(), result: null });
    this.prompts = examples.map((e) => e.text);
    this.body = h('div.change-body.column');
    this.node = h('aside.card.change', { 'aria-labelledby': 'change-title' });
    this.none();
  }
  render() {
    fill(this.node, h('h3.small-title', { id: 'change-title' }, t('change.title')), this.body);
    this.redo?.();
  }
  #as(redo) {
    this.redo = redo;
    redo();
  }
  none() {
    this.result = null;
    this.#as(() => fill(this.body, h('p.soft', {}, t('change.none', { n: this.prompts.length }))));
  }
  working(part) {
    if (this.bar?.isConnected) return void set(this.bar, { '--done': part, 'aria-valuenow': String(Math.round(part * 100)) });
    this.bar = h('div.progress', { role: 'progressbar', 'aria-label': t('change.working'), 'aria-valuemin': '0', 'aria-valuemax': '100' }, h('span'));
    set(this.bar, { '--done': part });
    this.body.querySelector('.notice')?.remove();
    this.body.prepend(this.bar);
  }
  ask(n, go) {
    this.#as(() => fill(this.body, h('p', {}, t('change.many', { n })),
      h('div.row', {}, h('button.button.main', { type: 'button', onclick: go }, t('change.go')))));
  }
  failed(error) {
    this.#as(() => {
      const { text, detail } = trouble(error, this.edit.session.own ? 'own' : 'compile');
      fill(this.body, h('div.notice', { role: 'alert' }, h('p', {}, text), h('p.soft', { dir: 'auto' }, detail)));
    });
  }

  async #baseline(how, signal) {
    const { work, page } = this.edit;
    if (how.mode === 'server' || how.model) return null; // the published routes were made for another model
    if (!this.before.has(how.mode)) this.before.set(how.mode, await work.ask('evaluate', { asset: page.urls.asset, prompts: this.prompts, ...how }, { signal }));
    return this.before.get(how.mode);
  }
  async show({ asset, ms: took }, how, signal) {
    const { work } = this.edit;
    const before = await this.#baseline(how, signal);
    const after = await work.ask('evaluate', { asset, prompts: this.prompts, ...how }, { signal });
    this.result = { before, after, took, mode: how.mode };
    this.#as(() => this.#write());
  }
  #write() {
    const { before, after, took, mode } = this.result;
    const { store, looks } = this.edit;
    const known = new Set(store.file.routes.map((r) => r.id));
    const labels = new Map([...store.published.routes, ...store.file.routes].map((r) => [r.id, r.label]));
    const name = (id) => h('span', {}, shapeOf(looks.get(id)), labels.get(id) ?? id);
    const right = (answers) => answers.filter((route, i) => route === this.examples[i].route).length / answers.length;
    const comparable = this.examples.some((e) => known.has(e.route));
    // What became wrong first, then what became right.
    const weight = ({ i, from, to }) => (from === this.examples[i].route ? 0 : to === this.examples[i].route ? 1 : 2);
    const flips = before ? after.map((route, i) => ({ i, from: before[i], to: route })).filter(({ from, to }) => from !== to)
      .sort((a, b) => weight(a) - weight(b) || a.i - b.i) : [];
    const verdict = ({ i, from, to }) => {
      const wanted = this.examples[i].route;
      return to === wanted ? h('span.good', {}, t('change.nowright')) : from === wanted ? h('span.bad', {}, t('change.nowwrong')) : null;
    };
    const counts = store.file.routes.map((r) => [r.id, after.filter((a) => a === r.id).length]).filter(([, n]) => n).sort((a, b) => b[1] - a[1]).slice(0, 8);
    fill(this.body,
      comparable && h('div.score-pair', { role: 'status' },
        before && h('span.big.old.num', {}, h('span.visually-hidden', {}, t('change.before')), percent(right(before))), before && h('span.soft', { 'aria-hidden': 'true' }, '→'),
        h('span.big.num', {}, h('span.visually-hidden', {}, t('change.after')), percent(right(after))), h('span.soft', {}, t('change.right', { n: this.prompts.length }))),
      h('p.soft', {}, t(`change.how.${mode}`), ' ', t('change.took', { ms: ms(took) })),
      before && h('h4.small-title', {}, t('change.flips', { n: flips.length })),
      before && flips.length > 0 && h('ul.flips', {}, flips.slice(0, MOST_FLIPS).map((flip) => h('li', {},
        h('span', { lang: this.examples[flip.i].lang, dir: 'auto' }, this.examples[flip.i].text),
        h('span.flip-way', {}, name(flip.from), h('span', { 'aria-label': t('change.to') }, '→'), name(flip.to), verdict(flip))))),
      flips.length > MOST_FLIPS && h('p.soft', {}, t('change.more', { n: flips.length - MOST_FLIPS })),
      !before && h('ul.flips', {}, counts.map(([id, n]) => h('li', {}, h('span.flip-way', {}, name(id), number(n))))));
  }
}
