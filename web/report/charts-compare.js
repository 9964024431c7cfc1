// Figures of what `make profile` compared: our encoder at its exits and published models, on the same sample of prompts.
import * as Plot from '@observablehq/plot';
import { colours, draw, interval, percent, percentAxis, yardstick } from './plot.js';

const KINDS = ['own', 'dev'];
const WAYS = [['raw', '1'], ['raw', '64'], ['utterances', '64'], ['mapped', '1'], ['mapped', '64']];
const SPACES = { raw: 'plain cosine', utterances: 'centred', mapped: 'map' };

// Files are models-EMBEDDER--YARDSTICK.json.
export function compared(report) {
  const list = new Map();
  for (const [file, profile] of Object.entries(report.models ?? {})) {
    const [, kind] = file.split('--');
    for (const e of profile.embedders) {
      const last = e.layer === e.cost?.layers && e.model !== 'multilingual-e5-small';
      const name = last || e.layer === undefined ? e.model : `${e.model}, layer ${e.layer}`;
      const one = list.get(name) ?? { name, model: e.model, layer: e.layer, content: e.content, dimensions: e.dimensions };
      one[kind] = e.routing;
      for (const key of ['cost', 'clinc150', 'home_intents', 'mteb']) one[key] ??= e[key];
      list.set(name, one);
    }
  }
  return [...list.values()].sort((a, b) => a.model.localeCompare(b.model) || (a.layer ?? 0) - (b.layer ?? 0));
}

const way = ([space, count]) => `${SPACES[space]}, ${count}`;

export function accuracy(report) {
  const list = compared(report);
  const rows = list.flatMap((e) => KINDS.filter((kind) => e[kind]).flatMap((kind) => [
    ...WAYS.filter(([space]) => e[kind][space]).map(([space, count]) => ({ name: e.name, yardstick: yardstick(kind), what: way([space, count]), ...e[kind][space][count] })),
    { name: e.name, yardstick: yardstick(kind), what: 'head', ...e[kind].head },
  ]));
  if (!rows.length) return null;
  const full = list.flatMap((e) => KINDS.filter((kind) => e[kind]).flatMap((kind) =>
    Object.keys(SPACES).filter((space) => e[kind][space]).flatMap((space) => Object.entries(e[kind][space]).map(([count, v]) => [e.name, yardstick(kind), way([space, count]), interval(v)]))
      .concat([[e.name, yardstick(kind), 'head', interval(e[kind].head)]])));
  const one = list[0];
  return {
    title: 'Which model draws the map',
    text: `Routed right with 1 and 64 utterances a route, drawn at random, the mean of the five nearest; by plain cosine, about the pool’s mean, and through a map fitted on the pool; and by a logistic head. ${KINDS.filter((k) => one[k]).map((k) => `${yardstick(k)}: ${one[k].tests}`).join(', ')}; utterances from ${(one.own ?? one.dev).pool} prompts of the corpus: samples, the same for all.`,
    alt: `Dot plot of routing accuracy by embedder. ${rows.filter((r) => r.what === 'plain cosine, 64' || r.what === 'map, 64' || r.what === 'head').map((r) => `${r.name}, ${r.yardstick}, ${r.what}: ${percent(r.value)}`).join('; ')}.`,
    svg: draw({
      height: 90 + 26 * list.length,
      marginLeft: 200,
      x: percentAxis('right, % →'),
      y: { label: null, domain: list.map((e) => e.name) },
      fx: { label: null },
      color: { legend: true, domain: [...WAYS.map(way), 'head'] },
      marks: [
        Plot.ruleY(rows, { fx: 'yardstick', x1: 'low', x2: 'high', y: 'name', stroke: 'what', strokeOpacity: 0.6 }),
        Plot.dot(rows, { fx: 'yardstick', x: 'value', y: 'name', fill: 'what', r: 4 }),
      ],
    }),
    table: { head: ['embedder', 'prompts', 'by', 'right'], rows: full },
  };
}

/** Recall by route, a panel a route. */
export function byRoute(report, kind) {
  const list = compared(report).filter((e) => e[kind]);
  const rows = list.flatMap((e) => [
    ...WAYS.filter(([space]) => e[kind][space]).flatMap(([space, count]) => Object.entries(e[kind][space][count].routes).map(([route, right]) => ({ name: e.name, what: way([space, count]), route, right }))),
    ...Object.entries(e[kind].head_routes).map(([route, right]) => ({ name: e.name, what: 'head', route, right })),
  ]);
  if (!rows.length) return null;
  const routes = [...new Set(rows.map((r) => r.route))];
  return {
    title: `By route: ${yardstick(kind)}`,
    text: 'Of the prompts that belong to a route, the share that gets there.',
    alt: `Dot plots of recall by embedder, a panel a route. With 64 utterances by plain cosine: ${list.map((e) => `${e.name}: ${routes.map((r) => `${r} ${percent(e[kind].raw['64'].routes[r])}`).join(', ')}`).join('; ')}.`,
    svg: draw({
      width: 960,
      height: 90 + 22 * list.length,
      marginLeft: 200,
      x: percentAxis('right, % →', { ticks: 3, domain: [0, 1] }),
      y: { label: null, domain: list.map((e) => e.name) },
      fx: { label: null, domain: routes },
      color: { legend: true, domain: [...WAYS.map(way), 'head'] },
      marks: [Plot.dot(rows, { fx: 'route', x: 'right', y: 'name', fill: 'what', r: 3.5 })],
    }),
    table: { head: ['embedder', 'by', ...routes], rows: list.flatMap((e) => [...WAYS.map(way), 'head'].map((what) => [e.name, what, ...routes.map((route) => percent(rows.find((r) => r.name === e.name && r.what === what && r.route === route)?.right))])) },
  };
}

/** Right against nearest wrong route by plain cosine, a panel a route. */
export function similarities(report, kind) {
  const list = compared(report).filter((e) => e[kind]?.raw_similarity);
  if (!list.length) return null;
  const rows = [], table = [];
  for (const e of list)
    for (const [space, key] of [['plain', 'raw_similarity'], ['centred', 'similarity']])
      for (const s of e[kind][key]) {
        if (!s.right_quantiles) continue;
        table.push([e.name, space, s.route, s.count, s.auroc.toFixed(3), ...[1, 2, 3].flatMap((i) => [s.right_quantiles[i].toFixed(2), s.wrong_quantiles[i].toFixed(2)])]);
        if (space === 'plain' && s.route !== 'all')
          for (const side of ['right', 'wrong'])
            s[`${side}_histogram`].forEach((share, i) => rows.push({ name: e.name, route: s.route, side: side === 'right' ? 'right route' : 'nearest wrong route', at: -0.2 + (1.2 * (i + 0.5)) / 48, share }));
      }
  const chat = (e) => e[kind].raw_similarity.find((s) => s.route === 'general-chat')?.auroc;
  const inverted = list.filter((e) => chat(e) < 0.5);
  const names = list.map((e) => e.name), routes = [...new Set(rows.map((r) => r.route))];
  const said = inverted.length === 0
    ? 'General Chat, whose prompts have every subject, is inverted with none of them: its prompts are as a rule nearer to its own utterances.'
    : `General Chat, whose prompts have every subject, is inverted with ${inverted.length} of ${list.length}: its prompts are as a rule nearer to another route’s utterances (AUROC under 0.5): ${inverted.map((e) => `${e.name} ${chat(e).toFixed(2)}`).join(', ')}.`;
  return {
    title: `Similarity to the right and to the nearest wrong route: ${yardstick(kind)}`,
    text: `For each prompt, the mean plain cosine to its five nearest utterances in the right route and in the nearest wrong one, all of the sample being utterances; a panel a route. ${said}`,
    alt: `Distributions of similarity for ${list.length} embedders and ${routes.length} routes. Area under the ROC curve between the two by route: ${list.map((e) => `${e.name}: ${routes.map((r) => `${r} ${e[kind].raw_similarity.find((s) => s.route === r)?.auroc?.toFixed(2) ?? '–'}`).join(', ')}`).join('; ')}.`,
    svg: draw({
      width: 960,
      height: 80 + 48 * names.length,
      marginLeft: 200,
      x: { label: 'cosine →', grid: true, domain: [-0.2, 1], ticks: 3 },
      y: { axis: null },
      fx: { label: null, domain: routes },
      fy: { label: null, domain: names, axis: 'left' },
      color: { legend: true },
      marks: [
        Plot.areaY(rows, { fx: 'route', fy: 'name', x: 'at', y1: 0, y2: 'share', fill: 'side', fillOpacity: 0.35, curve: 'monotone-x' }),
        Plot.lineY(rows, { fx: 'route', fy: 'name', x: 'at', y: 'share', stroke: 'side', curve: 'monotone-x' }),
      ],
    }),
    table: { head: ['embedder', 'space', 'route', 'prompts', 'AUROC', 'right 25 %', 'wrong 25 %', 'right 50 %', 'wrong 50 %', 'right 75 %', 'wrong 75 %'], rows: table },
  };
}

/** What accuracy costs: milliseconds a prompt against routing. */
export function costs(report) {
  const rows = compared(report).filter((e) => e.cost && (e.dev ?? e.own)).map((e) => ({ name: e.name, ms: e.cost.ms, bytes: e.cost.bytes, right: (e.own ?? e.dev).head.value, plain: (e.own ?? e.dev).raw['64'].value }));
  if (!rows.length) return null;
  return {
    title: 'What accuracy costs',
    text: 'Milliseconds of processor time a prompt (median, one thread, our native program) against prompts routed right by a head: what is in the vectors. Dots grow with the file.',
    alt: `Scatter plot of time against accuracy: ${rows.map((r) => `${r.name}: ${r.ms.toFixed(1)} ms, ${(r.bytes / 1e6).toFixed(0)} MB, ${percent(r.right)}`).join('; ')}.`,
    svg: draw({
      height: 400,
      marginRight: 170,
      x: { type: 'log', label: 'milliseconds a prompt →', grid: true, nice: true, tickFormat: (v) => String(Number(v.toPrecision(2))) },
      y: percentAxis('↑ right by a head, %'),
      r: { range: [3, 12] },
      marks: [
        Plot.dot(rows, { x: 'ms', y: 'right', r: 'bytes', fill: colours[0], fillOpacity: 0.75 }),
        Plot.text(rows, { x: 'ms', y: 'right', text: 'name', dx: 12, textAnchor: 'start', fontSize: 11 }),
      ],
    }),
    table: { head: ['embedder', 'ms', 'MB', 'right by a head', 'right by 64 utterances, plain'], rows: rows.map((r) => [r.name, r.ms.toFixed(2), (r.bytes / 1e6).toFixed(1), percent(r.right), percent(r.plain)]) },
  };
}

/** Published scores against ours. */
export function leaderboard(report) {
  const rows = compared(report).filter((e) => e.mteb && (e.own ?? e.dev))
    .map((e) => ({ name: e.name, mteb: e.mteb.english, european: e.mteb.european, routing: (e.own ?? e.dev).raw['64'].value, clinc: e.clinc150?.shots_10?.head.accuracy.value }));
  if (rows.length < 2) return null;
  return {
    title: 'Where leaderboards and routing disagree',
    text: 'Published MTEB classification scores (mean over English tasks) against routing with 64 utterances a route by plain cosine. Earlier exits take the score of their model.',
    alt: `Scatter plot of MTEB against routing accuracy: ${rows.map((r) => `${r.name}: MTEB ${r.mteb.toFixed(1)}, routing ${percent(r.routing)}`).join('; ')}.`,
    svg: draw({
      height: 420,
      marginRight: 170,
      x: { label: 'MTEB classification, English mean →', grid: true, nice: true },
      y: percentAxis('↑ routed right with 64 utterances, %'),
      marks: [
        Plot.dot(rows, { x: 'mteb', y: 'routing', fill: colours[0], r: 5 }),
        Plot.text(rows, { x: 'mteb', y: 'routing', text: 'name', dx: 8, textAnchor: 'start', fontSize: 11 }),
      ],
    }),
    table: { head: ['embedder', 'MTEB English', 'MTEB European', 'routing, 64 utterances, plain', 'CLINC150, 10 shots, head'], rows: rows.map((r) => [r.name, r.mteb.toFixed(1), r.european?.toFixed(1) ?? '–', percent(r.routing), percent(r.clinc)]) },
  };
}
