// The composer: a decision at every keystroke, and what it rests on.
import { $, debounce, copyText, fill, h, set, shapeOf, icon } from './dom.js';
import { t, ms, number, percent, onLanguage, bytes, current } from './i18n.js';
import { confidence, exitName, reason, sureness, trouble } from './words.js';

const EXAMPLES = [
  ['en', 'my loop skips every second item'],
  ['de', 'Ein Gedicht über Nebel am Hafen'],
  ['fr', 'Pourquoi √2 est-il irrationnel ?'],
  ['es', 'Ponme una alarma a las siete'],
  ['it', 'Cosa cucino con due zucchine?'],
  ['pl', 'Narysuj wykres z tego pliku'],
  ['nl', 'Waarom is de lucht blauw?'],
  ['pt', 'Um slogan para uma padaria'],
];
const LONGEST_LINK = 4000;
const MOST_BARS = 10;

export class Try extends EventTarget {
  constructor(session) {
    super();
    Object.assign(this, { session, text: '', decision: null, stages: new Map(), asked: 0, announced: '' });
    this.prompt = $('prompt');
    this.prompt.addEventListener('input', () => this.read(this.prompt.value));
    this.prompt.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    $('composer').addEventListener('submit', (event) => (event.preventDefault(), this.#send()));
    $('copy-link').addEventListener('click', () => this.#copyLink());
    this.later = debounce(350, () => this.#ask());
    this.sayLater = debounce(1200, () => this.#say(false));
    this.linkLater = debounce(400, () => this.#link());
    this.stagesLater = debounce(450, () => this.#readStages());
    this.#examples();
    session.addEventListener('router', () => this.#newRouter());
    session.addEventListener('state', () => (this.#load(), this.#arrived()));
    onLanguage(() => (this.#newRouter(), this.#load()));
    addEventListener('hashchange', () => this.fromLink());
  }

  // ---- text in

  #examples() {
    fill($('examples'), EXAMPLES.map(([lang, text]) =>
      h('button.example', { type: 'button', onclick: () => this.type(text, true) }, h('span.lang', { 'aria-hidden': 'true' }, lang), h('span', { lang }, text))));
  }
  type(text, focus) {
    this.prompt.value = text;
    if (focus && matchMedia('(pointer: fine)').matches) this.prompt.focus();
    this.read(text);
  }
  fromLink() {
    const match = /^#q=(.*)$/s.exec(location.hash);
    if (!match) return false;
    try {
      this.type(decodeURIComponent(match[1]), false);
    } catch {
      return false; // a cut link
    }
    return true;
  }
  #link() {
    const { text } = this;
    const fits = text.trim() && text.length <= LONGEST_LINK;
    $('copy-link').disabled = !fits;
    const hash = fits ? `#q=${encodeURIComponent(text)}` : '';
    if (location.hash === hash || (!fits && !location.hash.startsWith('#q='))) return;
    history.replaceState(null, '', hash || location.pathname + location.search);
  }
  async #copyLink() {
    this.#link();
    this.#tell((await copyText(location.href)) ? t('link.copied') : t('link.failed'));
  }

  // ---- decisions

  read(text) {
    this.text = text;
    this.linkLater();
    this.stages.clear();
    const { router } = this.session;
    const blank = !text.trim();
    $('send').disabled = blank;
    if (!router) return;
    this.later.cancel();
    this.stagesLater.cancel();
    if (blank) {
      this.asked++;
      return this.#show(null);
    }
    const preview = router.preview(text);
    if (preview) {
      this.stages.set(preview.exit, preview);
      this.#show(preview);
    }
    if (this.session.own) this.later(); // each request costs the server something
    else this.#ask();
  }
  async #ask() {
    const { router } = this.session;
    const { text } = this;
    if (!router || !text.trim() || (router.state.exit < 0 && router.state.state === 'idle')) return;
    const ask = ++this.asked;
    try {
      const decision = await router.route(text);
      if (ask !== this.asked) return;
      this.#problem(null);
      if (!this.stages.has(decision.exit) || decision.embedder === 'external') this.stages.set(decision.exit, decision);
      this.#show(decision, true);
      this.stagesLater();
    } catch (error) {
      if (error.code === 'SR_OVERTAKEN' || error.code === 'SR_DISPOSED' || error.name === 'AbortError' || ask !== this.asked) return;
      this.#problem(error);
    }
  }
  /** What the exits in between say, once there is time. */
  async #readStages() {
    const { router, own } = this.session;
    const { text, decision } = this;
    const ask = this.asked;
    if (!router || own || !decision) return;
    for (const { exit } of router.exits) {
      if (exit >= decision.exit || exit > router.state.exit || this.stages.has(exit)) continue;
      const stage = await router.route(text, { maxExit: exit }).catch(() => null);
      if (ask !== this.asked || text !== this.text) return;
      if (stage) this.stages.set(stage.exit, stage);
    }
    this.#exits();
    this.dispatchEvent(new CustomEvent('stages'));
  }
  async #send() {
    if (!this.text.trim()) return;
    this.later.cancel();
    await this.#ask();
    this.#say(true);
  }
  #say(sent) {
    const { decision } = this;
    if (!decision || (!sent && decision.route === this.announced)) return;
    this.announced = decision.route;
    this.#tell(t(sent ? 'say.sent' : 'say.route', { route: decision.label, sure: sureness(decision) }));
    if (!sent) return;
    $('chip').classList.remove('sent');
    requestAnimationFrame(() => $('chip').classList.add('sent'));
  }
  #tell(text) {
    $('announce').textContent = text;
  }

  // ---- showing

  #newRouter() {
    const { router } = this.session;
    if (!router) return;
    this.#problem(null);
    this.rows = null;
    this.decision = null;
    this.#bars();
    this.read(this.prompt.value);
    this.#exits();
  }
  #arrived() {
    const { router } = this.session;
    this.#exits();
    if (!router || router.state.exit === this.seenExit) return;
    const deeper = router.state.exit > (this.seenExit ?? -1);
    this.seenExit = router.state.exit;
    if (deeper && this.text.trim()) this.read(this.text);
  }
  #show(decision, settled = false) {
    this.decision = decision;
    $('chip').hidden = !decision;
    $('chip-idle').hidden = !!decision;
    if (!decision) this.announced = '';
    else {
      const look = this.session.looks.get(decision.route);
      set($('chip'), { class: `chip c${look.colour}${decision.uncertain || decision.confidence < 0.5 ? ' unsure' : ''}` });
      fill($('chip'), shapeOf(look), h('span', {}, decision.label), h('span.sure', {}, sureness(decision)));
      this.sayLater();
    }
    this.settled = settled;
    this.frame ||= requestAnimationFrame(() => this.#rest());
  }
  /** What need not keep up with every keystroke, once a frame. */
  #rest() {
    this.frame = 0;
    const { decision, settled } = this;
    if (!this.session.router) return;
    $('answer').classList.toggle('has', !!decision);
    $('answer').dataset.settled = settled ? 'yes' : 'no';
    if (!decision) fill($('verdict'), h('p.verdict-note', {}, t('verdict.idle')));
    else {
      const look = this.session.looks.get(decision.route);
      fill($('verdict'),
        h(`p.verdict-route.c${look.colour}`, {}, shapeOf(look), h('span', {}, decision.label)),
        h('p.verdict-note', {}, h('strong', {}, confidence(decision)), ' ', reason(this.session.router, decision)));
    }
    this.#bars();
    this.#why();
    this.#exits();
    this.dispatchEvent(new CustomEvent('decision', { detail: { decision, settled } }));
  }

  #bars() {
    const { router } = this.session;
    const { decision } = this;
    const order = router.routes.length <= MOST_BARS ? router.routes.map((r) => r.id)
      : (decision?.scores.map((s) => s.route) ?? router.routes.map((r) => r.id)).slice(0, MOST_BARS);
    const key = order.join('\n');
    if (!this.rows || this.rows.key !== key) {
      const by = new Map(router.routes.map((r, i) => [r.id, { ...r, i }]));
      this.rows = order.map((id) => this.#bar(by.get(id)));
      this.rows.key = key;
      fill($('bars'), this.rows.map((row) => row.node));
      $('bars').setAttribute('aria-rowcount', router.routes.length);
    }
    if (!decision) return;
    const scores = new Map(decision.scores.map((s) => [s.route, s.score]));
    const { thresholds } = router.exits[decision.exit];
    const second = decision.scores[1]?.score;
    // Where all scores are high, as in a space that nobody has centred, the bars begin higher, and say so.
    const least = Math.min(...decision.scores.map((s) => s.score));
    const from = least > 0.45 ? Math.floor((least - 0.1) * 10) / 10 : 0;
    const clip = (v) => Math.max(0, Math.min(1, (v - from) / (1 - from)));
    for (const row of this.rows) {
      const score = scores.get(row.id) ?? 0;
      const { tau, margin } = thresholds[row.i];
      row.node.classList.toggle('best', row.id === decision.route);
      row.fill.style.setProperty('--v', clip(score));
      row.value.textContent = number(score, 2);
      row.tau.hidden = tau <= 0;
      row.tau.style.setProperty('--tau', clip(tau));
      row.margin.hidden = row.id !== decision.nearest || !(margin > 0) || second === undefined;
      row.margin.style.setProperty('--from', clip(second ?? 0));
      row.margin.style.setProperty('--wide', Math.min(margin / (1 - from), 1 - clip(second ?? 0)));
    }
    const marks = thresholds.some(({ tau, margin }) => tau > 0 || margin > 0);
    for (const node of $('bars-legend').children) node.hidden = !marks;
    const note = $('bars-from');
    note.hidden = !from;
    note.textContent = t('bars.from', { from: number(from, 1) });
  }
  #bar(route) {
    const look = this.session.looks.get(route.id);
    const row = { id: route.id, i: route.i, fill: h('span.bar-fill'), tau: h('span.bar-tau'), margin: h('span.bar-margin') };
    row.value = h('span.bar-value.num', { role: 'cell' });
    row.node = h(`div.bar.c${look.colour}`, { role: 'row' },
      h('span.bar-label', { role: 'rowheader' }, shapeOf(look), h('span', {}, route.label)),
      h('span.bar-track', { role: 'presentation' }, h('span.bar-clip', {}, row.fill, row.margin), row.tau),
      row.value,
      about(route) && h('span.bar-about', { role: 'cell' }, about(route)));
    return row;
  }
  #why() {
    const { decision } = this;
    const labels = new Map(this.session.router.routes.map((r) => [r.id, r.label]));
    fill($('why'), (decision?.why ?? []).slice(0, 4).map((why) => h('li', {},
      shapeOf(this.session.looks.get(why.route)),
      h('span.why-text', { dir: 'auto' }, why.text || t('why.notext'), h('span.visually-hidden', {}, ` (${labels.get(why.route)})`)),
      h('span.num', {}, h('span.visually-hidden', {}, `${t('why.similarity')} `), number(why.similarity, 2)))));
  }
  #exits() {
    const { router } = this.session;
    if (!router) return;
    const { state } = router;
    const shown = router.exits.filter((e) => e.embedder !== 'table' || this.session.source.table);
    const key = [current(), router.content, state.exit, this.decision?.exit, this.decision?.route, ...[...this.stages].map(([e, s]) => e + ms(s.ms) + s.route)].join();
    if (this.exitsKey === key) return;
    this.exitsKey = key;
    fill($('exits'), shown.map((e) => {
      const ready = e.exit <= state.exit;
      const decided = this.decision?.exit === e.exit;
      const stage = this.stages.get(e.exit);
      const says = stage && this.decision && stage.route !== this.decision.route ? ` · ${stage.label}` : '';
      const note = stage ? ms(stage.ms) + says : !ready ? t('exit.waiting') : this.decision && e.exit > this.decision.exit ? t('exit.unneeded') : '';
      return h(`li.exit${ready ? '.ready' : ''}${decided ? '.decided' : ''}`, {},
        h('b', {}, e.embedder === 'external' ? this.session.own ?? exitName(e) : exitName(e)), h('span.num', {}, note), decided && h('span.tag', {}, t('exit.decided')));
    }));
  }

  // ---- the download

  #load() {
    const { session } = this;
    const { router, error } = session;
    const box = $('load');
    if (error && !router) return this.#problem(error), fill(box);
    if (!router || session.own) return fill(box);
    const { state, loadedBytes, totalBytes, error: failed, fromCache } = router.state;
    // While nothing can answer, the offer stands where the answer will.
    const mute = router.state.exit < 0;
    if (mute !== ($('load').parentNode === $('answer'))) mute ? $('answer').prepend(box) : $('depth').append(box);
    $('verdict').hidden = mute;
    $('chip-idle').textContent = t(mute ? 'prompt.mute' : 'prompt.idle');
    const size = bytes(session.modelBytes);
    const kind = `${state}.${current()}.${size}.${mute}`;
    if (state === 'idle' && (session.source.model || session.shallow)) {
      if (this.kind === kind) return;
      fill(box, h(mute ? 'p' : 'p.soft', {}, t(mute ? 'load.need' : 'load.offer', { size })),
        h('div.row', {}, h('button.button.main', { type: 'button', id: 'deepen', onclick: () => session.deepen() }, icon('down'), t('load.button', { size })),
          h('span.soft', {}, t(mute ? 'load.both' : 'load.kept'))));
    } else if (state === 'loading' || state === 'exit') {
      const part = totalBytes ? loadedBytes / totalBytes : 0;
      if (!box.querySelector('.progress'))
        fill(box, h('div.progress', { role: 'progressbar', 'aria-label': t('load.label'), 'aria-valuemin': '0', 'aria-valuemax': '100' }, h('span')),
          h('div.row', {}, h('span.soft.num.of'), h('span.grow'), h('button.button', { type: 'button', id: 'cancel', onclick: () => session.cancel() }, t('cancel'))));
      set(box.querySelector('.progress'), { '--done': part, 'aria-valuenow': String(Math.round(part * 100)) });
      box.querySelector('.of').textContent = t('load.progress', { done: bytes(loadedBytes || 1), total: size });
    } else if (state === 'failed') {
      if (this.kind === kind) return;
      const { text, detail } = trouble(failed);
      fill(box, h('div.notice', { role: 'alert' }, h('p', {}, text), h('p.soft', {}, detail),
        h('button.button', { type: 'button', id: 'retry', onclick: () => session.retry() }, t('retry'))));
    } else if (state === 'full') fill(box, h('p.soft', {}, t(fromCache ? 'load.cached' : 'load.full', { size, pieces: number(router.exits.length) })));
    else fill(box);
    this.kind = kind;
  }
  #problem(error) {
    const box = $('problem');
    box.hidden = !error;
    if (!error) return fill(box);
    const { text, detail } = trouble(error, this.session.own ? 'own' : 'load');
    fill(box, h('p', {}, text), h('p.soft', {}, detail),
      error.code !== 'SR_WASM' && typeof WebAssembly !== 'undefined' && h('button.button', { type: 'button', onclick: () => this.session.retry()?.catch?.(() => {}) }, t('retry')));
  }
}

/** The usual five are described in the reader's language, others as their author did. */
function about(route) {
  const key = `about.${route.id}`;
  const text = t(key);
  return text !== key ? text : route.description;
}
