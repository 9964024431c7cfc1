// Figures about embedders and about utterances.
import * as Plot from '@observablehq/plot';
import { colours, draw, interval, percent, percentAxis, yardstick } from './plot.js';

const nameOf = (e) => (e.layer === undefined ? e.model : `${e.model} exit ${e.layer}`);

// Files are profile-EMBEDDER--YARDSTICK.json.
export function embedders(report) {
  const list = new Map();
  for (const [file, profile] of Object.entries(report.profile ?? {})) {
    const [, kind = 'dev'] = file.split('--');
    for (const e of profile.embedders) {
      const name = nameOf(e);
      const one = list.get(name) ?? { name, dimensions: e.dimensions, layer: e.layer, model: e.model };
      if (e.routing) one[kind] = e.routing;
      for (const key of ['clinc150', 'home_intents', 'mteb']) one[key] ??= e[key];
      list.set(name, one);
    }
  }
  return [...list.values()].sort((a, b) => a.model.localeCompare(b.model) || (a.layer ?? 0) - (b.layer ?? 0));
}

export function routingByModel(report) {
  const rows = embedders(report).flatMap((e) =>
    ['own', 'dev'].flatMap((kind) =>
      e[kind]
        ? [
            ...Object.entries(e[kind].utterances).map(([n, v]) => ({ name: e.name, yardstick: yardstick(kind), what: `${n} utterance${n === '1' ? '' : 's'}`, ...v })),
            { name: e.name, yardstick: yardstick(kind), what: 'head', ...e[kind].head },
          ]
        : [],
    ),
  );
  if (!rows.length) return null;
  return {
    title: 'Which layer draws the map',
    text: 'Routing accuracy by layer with 1, 4, 16 and 64 utterances a route (drawn at random from the corpus, the mean of the five nearest counts) and with a logistic head fitted on all of the corpus.',
    alt: `Dot plot of routing accuracy by embedder. ${rows.filter((r) => r.what === '16 utterances' || r.what === 'head').map((r) => `${r.name}, ${r.yardstick}, ${r.what}: ${percent(r.value)}`).join('; ')}.`,
    svg: draw({
      height: 90 + 13 * rows.length * 0.45 + 30,
      marginLeft: 230,
      x: percentAxis('right, % →'),
      y: { label: null },
      fx: { label: null },
      color: { legend: true, domain: [...new Set(rows.map((r) => r.what))] },
      marks: [
        Plot.dot(rows, { fx: 'yardstick', x: 'value', y: 'name', fill: 'what', r: 4 }),
        Plot.ruleY(rows, { fx: 'yardstick', x1: 'low', x2: 'high', y: 'name', stroke: 'what', strokeOpacity: 0.6 }),
      ],
    }),
    table: { head: ['embedder', 'prompts', 'by', 'right'], rows: rows.map((r) => [r.name, r.yardstick, r.what, interval(r)]) },
  };
}

/** The utterances before and after the map, in each space's two strongest directions; of the deepest exit that was fitted. */
export function mapPicture(report) {
  const routing = Object.entries(report.fit ?? {}).filter(([file]) => file.endsWith('--own')).flatMap(([, f]) => f.embedders)
    .sort((a, b) => (a.layer ?? 0) - (b.layer ?? 0)).at(-1)?.spaces.routing;
  if (!routing) return null;
  const sides = [['plain', 'plain cosine'], ['map', 'through the map']];
  const rows = sides.flatMap(([space, side]) =>
    Object.entries(routing[space].places).flatMap(([route, places]) => places.map(([x, y]) => ({ side, route, x, y }))));
  const routes = Object.keys(routing.plain.places);
  const words = sides.map(([space, side]) => `${side} ${percent(routing[space].accuracy.value)}`).join(', ');
  return {
    title: 'What the map does to the utterances',
    text: `Each dot is an utterance, in the two directions in which the vectors differ most. Own evaluation prompts routed right by these utterances: ${words}.`,
    alt: `Two scatter plots of ${rows.length / 2} utterances of ${routes.length} routes: by plain cosine the routes lie upon one another, through the map they lie apart. Routed right: ${words}.`,
    svg: draw({
      width: 760,
      height: 424,
      marginTop: 32,
      marginLeft: 8,
      marginBottom: 8,
      // on top: without an x axis it would stand below, outside of the picture
      fx: { label: null, axis: 'top', tickSize: 0, domain: sides.map(([, side]) => side) },
      x: { axis: null },
      y: { axis: null },
      facet: { data: rows, x: 'side' },
      color: { domain: routes },
      marks: [
        Plot.frame({ stroke: 'currentColor', strokeOpacity: 0.3 }),
        Plot.dot(rows, { x: 'x', y: 'y', fill: 'route', r: 3, fillOpacity: 0.75 }),
        // names instead of a legend: at the middle of each route's dots
        Plot.text(rows, Plot.groupZ({ x: 'mean', y: 'mean', text: 'first' }, { x: 'x', y: 'y', z: 'route', text: 'route', fontWeight: 600, fill: 'route', stroke: 'white', strokeWidth: 4 })),
      ],
    }),
    table: { head: ['space', 'route', 'x', 'y'], rows: rows.map((r) => [r.side, r.route, r.x.toFixed(3), r.y.toFixed(3)]) },
  };
}

export function similarities(report, kind) {
  const rows = [];
  const table = [];
  for (const e of embedders(report)) {
    const all = e[kind]?.similarity;
    for (const s of all ?? []) {
      if (!s.right_quantiles) continue;
      table.push([e.name, s.route, s.count, s.auroc.toFixed(3), ...[1, 2, 3].flatMap((i) => [s.right_quantiles[i].toFixed(2), s.wrong_quantiles[i].toFixed(2)])]);
      if (s.route !== 'all') continue;
      for (const side of ['right', 'wrong'])
        s[`${side}_histogram`].forEach((share, i) => rows.push({ name: `${e.name}`, side: side === 'right' ? 'right route' : 'nearest wrong route', at: -0.2 + (1.2 * (i + 0.5)) / 48, share }));
    }
  }
  if (!rows.length) return null;
  const names = [...new Set(rows.map((r) => r.name))];
  return {
    title: `Similarity to the right and to the nearest wrong route: ${yardstick(kind)}`,
    text: 'For each prompt, the mean cosine to its five nearest utterances in the right route and in the nearest wrong one (centred space, all of the corpus). The less the two overlap, the better the model separates routes.',
    alt: `Distributions of similarity for ${names.length} embedders. Area under the ROC curve between the two, over all routes: ${table.filter((r) => r[1] === 'all').map((r) => `${r[0]} ${r[3]}`).join('; ')}.`,
    svg: draw({
      height: 60 + 64 * names.length,
      marginRight: 190,
      x: { label: 'cosine →', grid: true, domain: [-0.2, 1] },
      y: { axis: null },
      fy: { label: null, domain: names },
      color: { legend: true },
      marks: [
        Plot.areaY(rows, { fy: 'name', x: 'at', y1: 0, y2: 'share', fill: 'side', fillOpacity: 0.35, curve: 'monotone-x' }),
        Plot.lineY(rows, { fy: 'name', x: 'at', y: 'share', stroke: 'side', curve: 'monotone-x' }),
      ],
    }),
    table: { head: ['embedder', 'route', 'prompts', 'AUROC', 'right 25 %', 'wrong 25 %', 'right 50 %', 'wrong 50 %', 'right 75 %', 'wrong 75 %'], rows: table },
  };
}

// One of the sweep curves: lines by the values of a factor over list length.
export function sweep(report, factor, { title, text, field, order }) {
  const score = (k) => (k === 0 ? 'mean of all' : k === 1 ? 'nearest' : `mean of ${k} nearest`);
  const rows = Object.entries(report.sweep ?? {}).flatMap(([name, s]) =>
    s.settings
      .filter((x) => x.factor === factor)
      .flatMap((x) =>
        x.results
          .filter((r) => factor === 'length' || r.k === 5)
          .map((r) => ({
            yardstick: yardstick(name),
            length: x.length,
            line: factor === 'length' ? score(r.k) : String(x[field]),
            at: r.accuracy.value,
            low: r.accuracy.low,
            high: r.accuracy.high,
            recall: r.recall,
          })),
      ),
  );
  if (!rows.length) return null;
  return lines(rows, { title, text, order, factor });
}

function lines(rows, { title, text, order, factor }) {
  const domain = order ?? [...new Set(rows.map((r) => r.line))];
  const kinds = [...new Set(rows.map((r) => r.yardstick))];
  const last = (line, kind) => rows.filter((r) => r.line === line && r.yardstick === kind).at(-1);
  return {
    title,
    text,
    alt: `Line chart of accuracy by list length. ${kinds.map((k) => `${k}, at the longest list: ${domain.map((d) => last(d, k) && `${d} ${percent(last(d, k).at)}`).filter(Boolean).join(', ')}`).join('; ')}.`,
    svg: draw({
      width: 380 * Math.min(2, kinds.length) + 40,
      height: 360 * Math.ceil(kinds.length / 2),
      x: { type: 'log', base: 2, ticks: [1, 2, 4, 8, 16, 32, 64], tickFormat: 'd', label: 'utterances a route →' },
      y: percentAxis('↑ right, %'),
      fx: { label: null },
      color: { legend: true, domain },
      marks: [
        Plot.areaY(rows, { fx: 'yardstick', x: 'length', y1: 'low', y2: 'high', fill: 'line', fillOpacity: 0.15 }),
        Plot.lineY(rows, { fx: 'yardstick', x: 'length', y: 'at', stroke: 'line', strokeWidth: 2, marker: 'dot' }),
      ],
    }),
    table: {
      head: ['prompts', factor === 'length' ? 'score' : factor, 'utterances a route', 'right (95 % interval over draws)', ...Object.keys(rows[0].recall ?? {})],
      rows: rows.map((r) => [r.yardstick, r.line, r.length, interval({ value: r.at, low: r.low, high: r.high }), ...Object.values(r.recall ?? {}).map((v) => percent(v.value))]),
    },
  };
}

export function thresholds(report) {
  const rows = Object.entries(report.sweep ?? {}).flatMap(([name, s]) =>
    (s.thresholds ?? [])
      .filter((x) => x.score_quantile === 0 || x.margin_quantile === 0)
      .flatMap((x) => (x.margin_quantile === 0 ? ['threshold on the score'] : []).concat(x.score_quantile === 0 ? ['threshold on the margin'] : []).map((by) => ({ yardstick: yardstick(name), by, answered: x.answered.value, right: x.accuracy_of_answered.value, all: x.accuracy?.value, tau: x.tau.value, margin: x.margin.value }))),
  );
  if (!rows.length) return null;
  return {
    title: 'What thresholds buy',
    text: 'Sixteen utterances a route. A higher threshold, on the best score or on its lead over the second, leaves fewer prompts to be answered by their own route and makes those more often right; the rest goes to the fallback.',
    alt: `Line chart of accuracy against the share of prompts answered. ${rows.filter((r) => Math.abs(r.answered - 0.7) < 0.03).map((r) => `${r.yardstick}, ${r.by}, ${percent(r.answered)} answered: ${percent(r.right)} right`).join('; ')}.`,
    svg: draw({
      height: 340,
      x: percentAxis('answered, % of prompts →', { reverse: true }),
      y: percentAxis('↑ right of these, %'),
      fx: { label: null },
      color: { legend: true },
      marks: [Plot.lineY(rows, { fx: 'yardstick', x: 'answered', y: 'right', stroke: 'by', strokeWidth: 2, marker: 'dot', sort: 'answered' })],
    }),
    table: { head: ['prompts', 'by', 'tau', 'margin', 'answered', 'right of these', 'right of all, with the fallback'], rows: rows.map((r) => [r.yardstick, r.by, r.tau <= -1.5 ? 'none' : r.tau.toFixed(3), r.margin.toFixed(3), percent(r.answered), percent(r.right), percent(r.all)]) },
  };
}
