// The map: every utterance at its place in the exit's plane, and the prompt moving among them. A canvas, so that ten thousand
// marks are as smooth as a hundred; keyboard and screen reader go from mark to mark.
import { $, fill, h, shapeOf } from './dom.js';
import { t, number, onLanguage } from './i18n.js';
import { exitName } from './words.js';

const PAD = 0.07;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

export class PromptMap {
  constructor(session, trier) {
    Object.assign(this, { session, trier, exit: null, chosen: null, points: [], at: null, from: null, lines: [], active: -1 });
    this.box = $('map-box');
    this.canvas = $('map-canvas');
    this.pen = this.canvas.getContext('2d');
    session.addEventListener('router', () => this.#newRouter());
    session.addEventListener('state', () => this.#controls());
    trier.addEventListener('decision', ({ detail }) => this.#decided(detail.decision));
    trier.addEventListener('stages', () => this.chosen !== null && this.#decided(this.trier.decision));
    new ResizeObserver(() => this.#draw()).observe(this.box);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    onLanguage(() => this.#newRouter());
    this.box.addEventListener('pointermove', (event) => this.#hover(event));
    this.box.addEventListener('pointerdown', (event) => this.#hover(event));
    this.box.addEventListener('pointerleave', () => this.#activate(-1));
    this.box.addEventListener('keydown', (event) => this.#key(event));
    this.box.addEventListener('blur', () => this.#activate(-1));
  }

  #planes() {
    const { router, source } = this.session;
    return router.exits.filter((e) => e.hasPlane && (e.embedder !== 'table' || source.table));
  }
  #newRouter() {
    const { router } = this.session;
    if (!router) return;
    this.chosen = null;
    this.exit = null;
    const { looks } = this.session;
    fill($('map-legend'), router.routes.slice(0, 24).map((r) => h('li', {}, shapeOf(looks.get(r.id)), r.label)));
    this.#useExit(this.#natural());
    this.#decided(this.trier.decision);
  }
  /** Where every keystroke has a place: the preview's exit, else the deepest. */
  #natural() {
    const planes = this.#planes();
    const { router } = this.session;
    const seen = this.trier.decision?.exit;
    const early = planes.filter((e) => e.exit <= router.state.exit && (e.embedder === 'table' || (e.layer >= 0 && e.layer <= 1)));
    return early.at(-1)?.exit ?? planes.find((e) => e.exit === seen)?.exit ?? planes.at(-1)?.exit ?? null;
  }
  #useExit(exit) {
    if (exit === this.exit && this.points.length) return;
    this.exit = exit;
    const { router } = this.session;
    const { looks } = this.session;
    const all = exit === null ? [] : router.utterances(exit).filter((u) => u.xy);
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const { xy: [x, y] } of all) (left = Math.min(left, x)), (right = Math.max(right, x)), (low = Math.min(low, y)), (high = Math.max(high, y));
    this.frame = { x: (left + right) / 2 || 0, y: (low + high) / 2 || 0, half: Math.max(right - left, high - low, 1e-6) / 2 };
    this.points = all.map(({ text, route, negative, xy }) => ({ text, route, negative, xy, look: looks.get(route) }));
    this.index = new Map(this.points.map((p, i) => [`${p.route}\n${p.text}`, i]));
    this.at = null;
    this.painted = null;
    this.#activate(-1);
    this.#controls();
    this.#draw();
  }
  #controls() {
    const { router } = this.session;
    if (!router) return;
    const planes = this.#planes();
    const box = $('map-exits');
    const key = planes.map((e) => `${exitName(e)}${e.exit <= router.state.exit}`).join() + this.exit;
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    fill(box, planes.length > 1 && planes.map((e) => h('button', {
      type: 'button', 'aria-pressed': String(e.exit === this.exit),
      onclick: () => {
        this.chosen = e.exit;
        this.#useExit(e.exit);
        this.#decided(this.trier.decision);
      },
    }, exitName(e))));
  }

  #decided(decision) {
    const { router } = this.session;
    if (!router) return;
    if (this.chosen === null) this.#useExit(this.#natural());
    const here = decision && (this.trier.stages.get(this.exit) ?? (decision.exit === this.exit ? decision : null));
    this.lines = here ? here.why.slice(0, 3).map((w) => this.index.get(`${w.route}\n${w.text}`)).filter((i) => i !== undefined) : [];
    this.look = here ? this.session.looks.get(decision.route) : null;
    $('map-hint').textContent = decision && !here && this.chosen !== null ? t('map.unread') : t('map.hint');
    this.#moveTo(here?.xy ?? null);
  }
  #moveTo(xy) {
    cancelAnimationFrame(this.timer);
    if (!xy || !this.at || calm.matches) {
      this.at = xy ? [...xy] : null;
      return this.#draw();
    }
    const from = [...this.at];
    const start = performance.now();
    const step = (now) => {
      const p = Math.min(1, Math.max(0, now - start) / 260), ease = 1 - (1 - p) ** 3;
      this.at = [from[0] + (xy[0] - from[0]) * ease, from[1] + (xy[1] - from[1]) * ease];
      this.#draw();
      if (p < 1) this.timer = requestAnimationFrame(step);
    };
    this.timer = requestAnimationFrame(step);
  }

  // ---- drawing

  /** The colours have changed. */
  draw() {
    this.painted = null;
    this.#draw();
  }
  #place([x, y]) {
    const { frame, wide = this.box.clientWidth, high = this.box.clientHeight } = this;
    const size = Math.min(wide, high) * (0.5 - PAD);
    const clamp = (v, most) => Math.max(8, Math.min(most - 8, v));
    return [clamp(wide / 2 + ((x - frame.x) / frame.half) * size * (wide > high ? Math.min(wide / high, 1.5) : 1), wide), clamp(high / 2 - ((y - frame.y) / frame.half) * size, high)];
  }
  #colours() {
    const { canvas } = this;
    // through a real colour: a property's own text would be light-dark(…), which a canvas does not know
    const get = (name) => ((canvas.style.color = `var(${name})`), getComputedStyle(canvas).color);
    return { marks: Array.from({ length: 8 }, (_, i) => get(`--c${i}`)), ink: get('--ink'), paper: get('--paper') };
  }
  /** One drawing a frame, however often it is asked for. */
  #draw() {
    this.frameAsked ||= requestAnimationFrame(() => {
      this.frameAsked = 0;
      this.#paint();
    });
  }
  #paint() {
    const { pen, canvas, box } = this;
    const scale = Math.min(2, devicePixelRatio || 1);
    if (!this.frame || !box.clientWidth) return;
    const [wide, high] = [box.clientWidth, box.clientHeight];
    const key = [wide, high, scale, this.exit, !!this.at, this.session.router.content].join();
    if (this.painted !== key) {
      this.painted = key;
      Object.assign(this, { wide, high, colours: this.#colours() });
      for (const c of [canvas, (this.ground ??= document.createElement('canvas'))])
        Object.assign(c, { width: Math.round(wide * scale), height: Math.round(high * scale) });
      this.#paintGround(this.ground.getContext('2d'), scale);
    }
    const { ink } = this.colours;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(this.ground, 0, 0);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    if (this.at) this.#paintPrompt();
    if (this.active >= 0) {
      const [x, y] = this.#place(this.points[this.active].xy);
      pen.strokeStyle = ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, this.size + 4, 0, 7);
      pen.stroke();
    }
  }
  /** The marks: painted once, then copied for every frame. */
  #paintGround(pen, scale) {
    const many = this.points.length;
    this.size = many > 2000 ? 2 : many > 600 ? 3 : 4.2;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.globalAlpha = this.at ? 0.5 : 0.75;
    for (const p of this.points) {
      const [x, y] = this.#place(p.xy);
      pen.fillStyle = this.colours.marks[p.look.colour];
      mark(pen, p.look.shape, x, y, this.size, p.negative);
    }
  }
  #paintPrompt() {
    const { pen, size } = this;
    const { marks: colours, ink, paper } = this.colours;
    const [x, y] = this.#place(this.at);
    const colour = this.look ? colours[this.look.colour] : ink;
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    for (const i of this.lines) {
      const p = this.points[i];
      const [px, py] = this.#place(p.xy);
      pen.globalAlpha = 0.8;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(px, py);
      pen.stroke();
      pen.globalAlpha = 1;
      pen.fillStyle = colours[p.look.colour];
      mark(pen, p.look.shape, px, py, size + 2.2, p.negative);
    }
    pen.beginPath();
    pen.arc(x, y, 9, 0, 7);
    pen.fillStyle = paper;
    pen.fill();
    pen.lineWidth = 4;
    pen.stroke();
    pen.beginPath();
    pen.arc(x, y, 3, 0, 7);
    pen.fillStyle = colour;
    pen.fill();
  }

  // ---- pointing

  #hover(event) {
    const { left, top } = this.box.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    let best = -1, nearest = 18 ** 2;
    this.points.forEach((p, i) => {
      const [px, py] = this.#place(p.xy);
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < nearest) (nearest = d), (best = i);
    });
    this.#activate(best);
  }
  #key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === 'Escape') return this.#activate(-1);
    if (event.key === 'Home' || (ways[event.key] && this.active < 0)) {
      event.preventDefault();
      return this.#activate(this.lines[0] ?? this.#closest([this.wide / 2, this.high / 2]), true);
    }
    const way = ways[event.key];
    if (!way || !this.points.length) return;
    event.preventDefault();
    const [x, y] = this.#place(this.points[this.active].xy);
    let best = this.active, least = Infinity;
    this.points.forEach((p, i) => {
      const [px, py] = this.#place(p.xy);
      const along = (px - x) * way[0] + (py - y) * way[1], across = Math.abs((px - x) * way[1]) + Math.abs((py - y) * way[0]);
      if (along > 0.5 && along + 2 * across < least) (least = along + 2 * across), (best = i);
    });
    this.#activate(best, true);
  }
  #closest([x, y]) {
    let best = -1, least = Infinity;
    this.points.forEach((p, i) => {
      const [px, py] = this.#place(p.xy);
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least) (least = d), (best = i);
    });
    return best;
  }
  #activate(i, say = false) {
    if (i === this.active) return;
    this.active = i;
    const tip = $('map-tip');
    tip.hidden = i < 0;
    if (i >= 0) {
      const p = this.points[i];
      const label = this.session.router.routes.find((r) => r.id === p.route)?.label ?? p.route;
      fill(tip, h('b', {}, label), h('span', { dir: 'auto' }, p.text.length > 160 ? `${p.text.slice(0, 160)}…` : p.text || t('why.notext')));
      const [x, y] = this.#place(p.xy);
      const w = tip.offsetWidth, t_ = tip.offsetHeight;
      tip.style.setProperty('--x', `${Math.max(6, Math.min(this.wide - w - 6, x - w / 2))}px`);
      tip.style.setProperty('--y', `${y > t_ + 20 ? y - t_ - 14 : y + 16}px`);
      if (say) $('map-live').textContent = `${p.text} – ${label}, ${number(i + 1)}/${number(this.points.length)}`;
    }
    this.#draw();
  }
}

function mark(pen, shape, x, y, r, hollow) {
  pen.beginPath();
  if (shape === 1) polygon(pen, x, y, r * 1.25, 4, Math.PI / 4 + Math.PI / 4);
  else if (shape === 2) polygon(pen, x, y, r * 1.2, 4, Math.PI / 4);
  else if (shape === 3) polygon(pen, x, y, r * 1.35, 3, -Math.PI / 2);
  else if (shape === 4) cross(pen, x, y, r * 1.15);
  else if (shape === 5) polygon(pen, x, y, r * 1.35, 3, Math.PI / 2);
  else pen.arc(x, y, r, 0, 7);
  pen.closePath();
  if (hollow) {
    pen.strokeStyle = pen.fillStyle;
    pen.lineWidth = 1.2;
    pen.stroke();
  } else pen.fill();
}
function polygon(pen, x, y, r, n, turn) {
  for (let i = 0; i < n; i++) pen.lineTo(x + r * Math.cos(turn + (2 * Math.PI * i) / n), y + r * Math.sin(turn + (2 * Math.PI * i) / n));
}
function cross(pen, x, y, r) {
  const k = r / 3;
  for (const [a, b] of [[-k, -r], [k, -r], [k, -k], [r, -k], [r, k], [k, k], [k, r], [-k, r], [-k, k], [-r, k], [-r, -k], [-k, -k]]) pen.lineTo(x + a, y + b);
}
