// Measure: the benchmark runs in measure-worker.js; this shows it as it comes.
import { $, copyText, fill, h, set } from './dom.js';
import { t, ms, bytes, onLanguage } from './i18n.js';

export function start(page) {
  const measure = new Measure(page);
  onLanguage(() => measure.render());
  return measure;
}
const COLUMNS = ['js', 'scalar', 'simd128', 'relaxed'];

class Measure {
  constructor(page) {
    Object.assign(this, { page, cells: new Map(), done: false });
    this.render();
    page.session.addEventListener('state', () => this.#offer());
  }
  get rows() {
    return [...new Set([...this.cells.values()].map((c) => c.row))];
  }
  render() {
    this.status = h('p.soft', { role: 'status' });
    this.go = h('button.button.main', { type: 'button', id: 'measure-go', onclick: () => this.#run() }, t('measure.go'));
    this.stop = h('button.button', { type: 'button', hidden: true, onclick: () => this.#end(t('measure.stopped')) }, t('cancel'));
    this.copy = h('button.button', { type: 'button', id: 'measure-copy', hidden: !this.done, onclick: async () => (this.status.textContent = t((await copyText(this.markdown())) ? 'measure.copied' : 'link.failed')) }, t('measure.copy'));
    const box = h('input', { type: 'checkbox', id: 'measure-model' });
    this.withModel = box;
    this.withModelRow = h('label.row', { for: 'measure-model' }, box, h('span', {}, t('measure.model', { size: bytes(this.page.session.modelBytes || 1) })));
    this.bar = h('div.progress', { role: 'progressbar', 'aria-label': t('measure.working'), 'aria-valuemin': '0', 'aria-valuemax': '100', hidden: true }, h('span'));
    this.tables = h('div.column');
    fill($('measure-body'), h('div.row', {}, this.go, this.stop, this.copy, this.withModelRow), this.bar, this.status, this.tables);
    this.#offer();
    this.#tables();
  }
  #offer() {
    const { session, urls } = this.page;
    const here = session.router?.state.state === 'full';
    this.withModelRow.hidden = !urls.model || here;
    if (here) this.withModel.checked = true;
  }

  #run() {
    this.worker?.terminate();
    this.cells.clear();
    this.done = false;
    this.go.disabled = true;
    this.copy.hidden = true;
    this.stop.hidden = this.bar.hidden = false;
    this.#progress(0, 'prepare');
    const { urls } = this.page;
    this.worker = new Worker(new URL('./measure-worker.js', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }) => {
      if (data.progress !== undefined) this.#progress(data.progress, data.doing);
      if (data.cell) {
        this.cells.set(`${data.cell.row}.${data.cell.column}`, data.cell);
        this.#tables();
      }
      if (data.error) this.#end(`${t('measure.failed')} ${data.error}`);
      if (data.done) {
        this.facts = data.done;
        this.done = true;
        this.#end(t('measure.done'));
      }
    };
    this.worker.onerror = (event) => (event.preventDefault(), this.#end(`${t('measure.failed')} ${event.message ?? ''}`));
    this.worker.postMessage({ model: this.withModel.checked ? urls.model : null });
  }
  #progress(part, doing) {
    set(this.bar, { '--done': part, 'aria-valuenow': String(Math.round(part * 100)) });
    const text = t(`measure.doing.${doing}`);
    if (this.status.textContent !== text) this.status.textContent = text;
  }
  #end(text) {
    this.worker?.terminate();
    this.worker = null;
    this.go.disabled = false;
    this.stop.hidden = this.bar.hidden = true;
    this.copy.hidden = !this.done;
    this.status.textContent = text;
    $('measure').classList.toggle('done', this.done);
  }

  #tables() {
    fill(this.tables, ['match', 'read'].map((group) => {
      const rows = this.rows.filter((r) => r.startsWith(group));
      if (!rows.length) return null;
      const columns = COLUMNS.filter((c) => rows.some((r) => this.cells.has(`${r}.${c}`)));
      const body = rows.map((row) => {
        const cells = columns.map((c) => this.cells.get(`${row}.${c}`));
        const medians = cells.filter(Boolean).map((c) => c.median);
        const best = Math.min(...medians), worst = Math.max(...medians);
        return h('tr', {}, h('th', { scope: 'row' }, rowName(row)), cells.map((cell) => cell
          ? h(`td.num${cell.median === best && medians.length > 1 ? '.fastest' : ''}`, {}, ms(cell.median),
            h('span.spread', {}, `${ms(cell.low)} – ${ms(cell.high)}`), h('span.cell-bar', { '--v': cell.median / worst, 'aria-hidden': 'true' }))
          : h('td', {}, '–')));
      });
      return h('div.table-box', { role: 'region', tabindex: '0', 'aria-label': t(`measure.${group}`) }, h('table', {}, h('caption', {}, t(`measure.${group}`)),
        h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('measure.work')), columns.map((c) => h('th', { scope: 'col' }, t(`measure.column.${c}`))))), h('tbody', {}, body)));
    }), this.rows.some((r) => r.startsWith('read')) && h('p.hint', {}, t('measure.note')));
  }
  markdown() {
    const columns = COLUMNS.filter((c) => this.rows.some((r) => this.cells.has(`${r}.${c}`)));
    const lines = [`| ${[t('measure.work'), ...columns.map((c) => t(`measure.column.${c}`))].join(' | ')} |`, `| --- |${' ---: |'.repeat(columns.length)}`];
    for (const row of this.rows)
      lines.push(`| ${[rowName(row), ...columns.map((c) => {
        const cell = this.cells.get(`${row}.${c}`);
        return cell ? `${ms(cell.median)} (${ms(cell.low)} – ${ms(cell.high)})` : '–';
      })].join(' | ')} |`);
    return `${lines.join('\n')}\n\n${t('measure.facts', { agent: this.facts?.agent ?? navigator.userAgent, cores: String(navigator.hardwareConcurrency ?? '?'), version: this.page.site.version })}\n`;
  }
}
function rowName(row) {
  const [group, a, b] = row.split('.');
  return group === 'match' ? t('measure.row.match', { n: Number(a) }) : t('measure.row.read', { pieces: a, layer: b });
}
