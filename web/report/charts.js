// Figures: each function takes the report's JSON and gives {title, text, alt, svg, table} or null when there is nothing to draw.
import * as Plot from '@observablehq/plot';
import { colours, draw, interval, percent, percentAxis, yardstick } from './plot.js';

const chosen = (run) => run.sets.find((s) => s.set === run.chosen) ?? run.sets.at(-1);
const evaluations = (report) => Object.entries(report.eval ?? {});

export function accuracyByExit(report) {
  const rows = evaluations(report).flatMap(([name, run]) =>
    run.sets
      .filter((s) => s.accuracy.value != null)
      .map((s) => ({ yardstick: yardstick(name), set: s.set, ...s.accuracy, layers: s.mean_layers, ece: s.ece })),
  );
  if (!rows.length) return null;
  return {
    title: 'Accuracy by exit',
    text: 'Each dot is the share of prompts that go to the right route when the encoder stops at that exit; “anytime” stops at the first exit that is sure enough. Bars are 95 % intervals, versions of one prompt counted once.',
    alt: `Dot plot of accuracy by exit. ${rows.map((r) => `${r.yardstick}, ${r.set}: ${percent(r.value)}`).join('; ')}.`,
    svg: draw({
      height: 90 + 26 * rows.length,
      marginLeft: 110,
      x: percentAxis('right, % →'),
      y: { label: null },
      fy: { label: null },
      color: { legend: true },
      facet: { data: rows, y: 'yardstick', marginRight: 190 },
      marks: [
        Plot.ruleY(rows, { x1: 'low', x2: 'high', y: 'set', stroke: 'yardstick', strokeWidth: 2 }),
        Plot.dot(rows, { x: 'value', y: 'set', fill: 'yardstick', r: 4.5 }),
      ],
    }),
    table: {
      head: ['prompts', 'answered', 'layers run', 'right (95 % interval)', 'calibration error'],
      rows: rows.map((r) => [r.yardstick, r.set, r.layers.toFixed(2), interval(r), r.ece?.toFixed(3) ?? '–']),
    },
  };
}

export function accuracyByRoute(report) {
  const rows = evaluations(report).flatMap(([name, run]) =>
    chosen(run).routes.filter((r) => r.recall.value != null).map((r) => ({ yardstick: yardstick(name), route: r.id, count: r.count, ...r.recall, precision: r.precision })),
  );
  if (!rows.length) return null;
  return {
    title: 'Accuracy by route',
    text: 'Of the prompts that belong to a route, the share that gets there (recall), with 95 % intervals.',
    alt: `Dot plot of recall by route. ${rows.map((r) => `${r.yardstick}, ${r.route}: ${percent(r.value)}`).join('; ')}.`,
    svg: draw({
      height: 90 + 22 * rows.length,
      marginLeft: 130,
      x: percentAxis('recall, % →'),
      y: { label: null },
      fy: { label: null },
      facet: { data: rows, y: 'yardstick', marginRight: 190 },
      marks: [
        Plot.ruleY(rows, { x1: 'low', x2: 'high', y: 'route', stroke: colours[0], strokeWidth: 2 }),
        Plot.dot(rows, { x: 'value', y: 'route', fill: colours[0], r: 4.5 }),
      ],
    }),
    table: {
      head: ['prompts', 'route', 'count', 'recall', 'precision'],
      rows: rows.map((r) => [r.yardstick, r.route, r.count, interval(r), interval(r.precision)]),
    },
  };
}

export function confusion(report, name) {
  const run = report.eval?.[name];
  const set = run && chosen(run);
  if (!set || set.routes.length > 12) return null;
  const cells = set.routes.flatMap((truth, i) => {
    const all = set.confusion[i].reduce((a, b) => a + b, 0);
    return all ? set.routes.map((to, j) => ({ truth: truth.id, to: to.id, count: set.confusion[i][j], share: set.confusion[i][j] / all })) : [];
  });
  const ids = set.routes.map((r) => r.id);
  return {
    title: `Where prompts go: ${yardstick(name)}`,
    text: 'Rows are the right routes, columns the decisions; shade is the share of the row, the number counts prompts.',
    alt: `Confusion matrix. ${set.routes.map((r) => `${r.id}: ${percent(r.recall.value)} right`).join('; ')}.`,
    svg: draw({
      width: 640,
      height: 60 + 52 * ids.length,
      marginLeft: 130,
      marginTop: 60,
      padding: 0.05,
      x: { domain: ids, axis: 'top', label: 'decision', tickRotate: -18 },
      y: { domain: ids, label: 'right route' },
      marks: [
        Plot.cell(cells, { x: 'to', y: 'truth', fill: colours[0], fillOpacity: (d) => 0.06 + 0.94 * d.share }),
        Plot.text(cells, { x: 'to', y: 'truth', text: 'count', fill: (d) => (d.share > 0.5 ? 'white' : 'currentColor') }),
      ],
    }),
    table: { head: ['right route', ...ids], rows: set.routes.map((r, i) => [r.id, ...set.confusion[i]]) },
  };
}

export function coverage(report) {
  const rows = evaluations(report).flatMap(([name, run]) => (chosen(run).coverage ?? []).map((c) => ({ yardstick: yardstick(name), ...c })));
  if (!rows.length) return null;
  return {
    title: 'Sure answers are right more often',
    text: 'Prompts in order of the router’s confidence: how right it is on the surest part.',
    alt: `Line chart of accuracy against coverage. ${[...new Set(rows.map((r) => r.yardstick))].map((y) => { const half = rows.find((r) => r.yardstick === y && r.coverage >= 0.49); const all = rows.filter((r) => r.yardstick === y).at(-1); return `${y}: the surer half ${percent(half.accuracy)}, all ${percent(all.accuracy)}`; }).join('; ')}.`,
    svg: draw({
      height: 340,
      x: percentAxis('answered, surest first, % of prompts →'),
      y: percentAxis('↑ right of these, %'),
      color: { legend: true },
      marks: [Plot.lineY(rows, { x: 'coverage', y: 'accuracy', stroke: 'yardstick', strokeWidth: 2 })],
    }),
    table: { head: ['prompts', 'answered', 'right', 'confidence at least'], rows: rows.map((r) => [r.yardstick, percent(r.coverage), percent(r.accuracy), r.confidence.toFixed(3)]) },
  };
}

export function reliability(report) {
  const rows = evaluations(report).flatMap(([name, run]) =>
    (chosen(run).reliability ?? []).filter((b) => b.count > 0).map((b) => ({ yardstick: yardstick(name), ...b })),
  );
  if (!rows.length) return null;
  return {
    title: 'Does “70 % sure” mean it?',
    text: 'Confidence in ten bins against the share that was right; on the diagonal the router is honest. Dots grow with the number of prompts.',
    alt: `Calibration plot. ${evaluations(report).map(([name, run]) => `${yardstick(name)}: expected calibration error ${chosen(run).ece?.toFixed(3)}`).join('; ')}.`,
    svg: draw({
      width: 560,
      height: 460,
      x: percentAxis('confidence, % →', { domain: [0, 1] }),
      y: percentAxis('↑ right, %', { domain: [0, 1] }),
      r: { range: [2, 12] },
      color: { legend: true },
      marks: [
        Plot.line([[0, 0], [1, 1]], { stroke: 'currentColor', strokeOpacity: 0.4, strokeDasharray: '4 4' }),
        Plot.dot(rows, { x: 'confidence', y: 'accuracy', r: 'count', fill: 'yardstick', fillOpacity: 0.75 }),
      ],
    }),
    table: { head: ['prompts', 'bin from', 'count', 'mean confidence', 'right'], rows: rows.map((r) => [r.yardstick, r.from, r.count, percent(r.confidence), percent(r.accuracy)]) },
  };
}
