#!/usr/bin/env node
// The report as one page that needs nothing else: node render.js REPORT.json PAGE.html
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as charts from './charts.js';
import * as compare from './charts-compare.js';
import * as models from './charts-models.js';
import { interval, percent, yardstick } from './plot.js';

const [input = 'build/report/report.json', output = 'build/report/report.html'] = process.argv.slice(2);
const report = JSON.parse(readFileSync(input, 'utf8'));

const escape = (value) => String(value).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

const table = ({ head, rows }) =>
  `<div class="wide"><table><thead><tr>${head.map((h) => `<th scope="col">${escape(h)}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td${typeof cell === 'number' || /^-?[\d.]+( %|$)/.test(cell) ? ' class="n"' : ''}>${escape(cell)}</td>`).join('')}</tr>`)
    .join('')}</tbody></table></div>`;

let figureCount = 0;
function figure(f) {
  if (!f) return '';
  const id = `figure-${++figureCount}`;
  // the picture is one image with one description; its parts are not read out
  return `<figure id="${id}" class="figure">
<figcaption><h3 id="${id}-title">${escape(f.title)}</h3><p>${escape(f.text)}</p></figcaption>
<div class="plot" role="img" aria-labelledby="${id}-title" aria-describedby="${id}-alt">${f.svg}</div>
<p id="${id}-alt" class="alt">${escape(f.alt)}</p>
<details><summary>The numbers</summary>${table(f.table)}</details>
</figure>`;
}

function section(id, title, text, parts) {
  const body = parts.filter(Boolean).join('\n');
  return body ? { id, title, html: `<section id="${id}"><h2>${escape(title)}</h2><p>${escape(text)}</p>\n${body}</section>` } : null;
}

function breakdown() {
  const rows = Object.entries(report.eval ?? {}).flatMap(([name, run]) => {
    const set = run.sets.find((s) => s.set === run.chosen) ?? run.sets.at(-1);
    return Object.entries(set.by).flatMap(([field, values]) => values.map((v) => [yardstick(name), field, v.value || '(none)', v.count, interval(v.accuracy)]));
  });
  return rows.length ? `<h3>By language, source and kind</h3>${table({ head: ['prompts', 'by', '', 'count', 'right'], rows })}` : '';
}

function outOfScope() {
  const rows = Object.entries(report.eval ?? {}).flatMap(([name, run]) =>
    run.sets.filter((s) => s.out_of_scope).map((s) => [yardstick(name), s.set, s.out_of_scope.count, percent(s.out_of_scope.false_alarm), percent(s.out_of_scope.recall), s.out_of_scope.auroc_score.toFixed(3)]),
  );
  return rows.length ? `<h3>Out of scope</h3>${table({ head: ['prompts', 'answered', 'out of scope', 'false alarms', 'caught', 'AUROC'], rows })}` : '';
}

function otherRoutes() {
  const rows = Object.entries(report.other ?? {}).flatMap(([name, run]) =>
    run.sets.filter((s) => s.set !== 'anytime').map((s) => [yardstick(name), s.routes.length, s.in_scope, s.set, interval(s.accuracy), s.ece.toFixed(3), s.out_of_scope?.auroc_score.toFixed(3) ?? '–']),
  );
  return rows.length ? table({ head: ['routes', 'number', 'prompts', 'answered', 'right', 'calibration error', 'out of scope, AUROC'], rows }) : '';
}

function learning() {
  const rows = Object.entries(report.learn ?? {}).flatMap(([name, { learn }]) =>
    learn.overrides.map(({ count, taught, near, rest }) => [yardstick(name), learn.set, count, percent(taught.after), percent(near.before), percent(near.after), percent(rest.before), percent(rest.after), percent(rest.changed)]),
  );
  return rows.length ? table({ head: ['prompts', 'answered', 'overrides', 'the same again right', 'alike: before', 'after', 'all others: before', 'after', 'changed'], rows }) : '';
}

function spoilt() {
  const rows = Object.entries(report.robust ?? {}).flatMap(([name, { robust }]) =>
    robust.changes.map((c) => [yardstick(name), c.paired, robust.set, c.change, percent(c.first_accuracy), percent(c.second_accuracy), interval(c.difference)]),
  );
  return rows.length ? table({ head: ['prompts', 'number', 'answered', 'change', 'right before', 'after', 'difference'], rows }) : '';
}

function benchmarks(embedders, sample = '') {
  const list = embedders.filter((e) => e.clinc150 || e.home_intents);
  const rows = list.map((e) => [
    e.name, e.dimensions, percent(e.clinc150?.shots_10?.utterances.accuracy.value), percent(e.clinc150?.shots_10?.prototype.accuracy.value),
    percent(e.clinc150?.shots_10?.head.accuracy.value), e.clinc150?.shots_10?.utterances.out_of_scope_auroc?.value.toFixed(3) ?? '–', percent(e.clinc150?.full.prototype.accuracy.value),
    percent(e.clinc150?.full.head.accuracy.value), percent(e.home_intents?.full.utterances.accuracy.value), percent(e.home_intents?.full.head.accuracy.value), e.mteb?.english.toFixed(1) ?? '–', e.mteb?.european?.toFixed(1) ?? '–',
  ]);
  return rows.length ? `<h3>Standard benchmarks</h3><p>CLINC150: 150 intents, English, and queries outside of them. Home intents: 28 intents in 26 languages. MTEB: published classification scores, quoted.${sample}</p>${table({ head: ['embedder', 'dim', 'CLINC 10 shots, near', 'prototype', 'head', 'AUROC', 'all, prototype', 'all, head', 'home, near', 'home, head', 'MTEB en', 'MTEB European'], rows })}` : '';
}

function versions() {
  const rows = compare.compared(report).map((e) => [e.name, e.content ?? '–', e.cost ? (e.cost.bytes / 1e6).toFixed(1) : '–', e.cost?.ms.toFixed(2) ?? '–', report.source?.models?.[e.model] ?? '–']);
  return rows.length ? `<h3>Versions</h3>${table({ head: ['embedder', 'model file’s content', 'MB', 'ms a prompt', 'weights from, with their SHA-256'], rows })}` : '';
}

function sampled() {
  const [e] = compare.compared(report).filter((x) => x.clinc150);
  return e ? ` A sample: CLINC150 ${e.clinc150.train} rows to learn from and ${e.clinc150.tests} to be told, home intents ${e.home_intents?.train ?? 0} and ${e.home_intents?.tests ?? 0}.` : '';
}

function configuration() {
  const c = report.configuration;
  if (!c) return '';
  const exits = c.exits.map((e) => (e.embedder === 'encoder' ? `exit ${e.layer}` : e.embedder));
  const rows = c.routes.map((r, i) => [r.id, r.utterances, r.mean_words?.toFixed(1) ?? '–', r.negatives, ...c.exits.map((e) => `${e.routes[i].tau <= -1 ? 'none' : e.routes[i].tau.toFixed(3)}, ${e.routes[i].margin.toFixed(3)}`)]);
  const spaces = c.exits.map((e, i) => [exits[i], e.dim, e.row_dim, e.map ? 'yes' : 'no', e.aggregation === 1 ? 'nearest' : `mean of the ${e.aggregation} nearest`, e.stop_confidence.toFixed(2), e.calibration.map((v) => v.toFixed(3)).join(', ')]);
  return `<p>${escape(c.name)}, content ${escape(c.content)}, ${c.bytes.toLocaleString('en')} bytes; fallback ${escape(c.fallback)}.</p>
${table({ head: ['route', 'utterances', 'words each', 'negatives', ...exits.map((e) => `${e}: tau, margin`)], rows })}
${table({ head: ['exit', 'vector', 'rows', 'map', 'score', 'stops at confidence', 'calibration c0 to c3'], rows: spaces })}`;
}

const sections = [
  section('accuracy', 'How right it is', 'The shipped asset. Nothing was fitted to the own evaluation prompts and the odd ones; its map and table have seen the public ones.', [
    figure(charts.accuracyByExit(report)), figure(charts.accuracyByRoute(report)), figure(charts.coverage(report)), figure(charts.reliability(report)),
    ...Object.keys(report.eval ?? {}).map((name) => figure(charts.confusion(report, name))), breakdown(), outOfScope(),
  ]),
  section('others', 'Other people’s routes', 'Two route files written by hand, with the map that knows no routes and without it.', [otherRoutes()]),
  section('learning', 'Learning from its user', 'A simulated user overrides mistakes in random order; alike are the nearest held-out prompts of the same route.', [learning()]),
  section('spoilt', 'When prompts come spoilt', 'The same prompts badly typed, or among other text.', [spoilt()]),
  section('models', 'Which embedding model', 'Published models, and our encoder (uncut) stopped at several layers, on one sample of prompts.', [
    figure(compare.accuracy(report)), figure(compare.byRoute(report, 'own')), figure(compare.byRoute(report, 'dev')), figure(compare.costs(report)), figure(compare.leaderboard(report)),
    figure(compare.similarities(report, 'own')), figure(compare.similarities(report, 'dev')), benchmarks(compare.compared(report), sampled()), versions(),
  ]),
  section('layers', 'Which layer', 'The shipped encoder as published, after each layer.', [
    figure(models.routingByModel(report)), figure(models.similarities(report, 'own')), figure(models.similarities(report, 'dev')), benchmarks(models.embedders(report)),
  ]),
  section('map', 'What the map does', 'The space in which cosine is taken, and what it is worth on the same utterances.', [figure(models.mapPicture(report))]),
  section('utterances', 'How utterances should be written', 'Routes drawn again and again from the corpus under one condition at a time; bands are 95 % intervals of the mean over draws.', [
    figure(models.sweep(report, 'length', { title: 'How many, and how they are scored', text: 'By list length: the nearest utterance, or the mean of several.' })),
    figure(models.sweep(report, 'words', { field: 'words', title: 'How long', text: 'Utterances of one band of sentence length, in words.', order: ['under 4', '4 to 7', '8 to 14', '15 to 32', 'over 32'] })),
    figure(models.sweep(report, 'vocabulary', { field: 'vocabulary', title: 'In which words', text: 'Thirds of each language by surprise a character under a model of character triples of that language: everyday words are cheap, rare ones, terms and code dear.', order: ['low', 'middle', 'high'] })),
    figure(models.sweep(report, 'languages', { field: 'languages', title: 'In how many languages', text: 'English alone, languages drawn anew each time, or all.', order: ['English', '1', '2', '4', '8', 'all'] })),
    figure(models.thresholds(report)),
  ]),
  section('configuration', 'The final configuration', 'What the shipped asset holds.', [configuration()]),
].filter(Boolean);

const style = `
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --soft: #666; --line: #ccc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181c; --soft: #a5a5a5; --line: #444; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); } h3 { margin: 0; font-size: 1.1rem; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; } a { color: inherit; }
.figure { margin: 2rem 0; } figcaption p { margin: .2rem 0 .6rem; color: var(--soft); } .plot { overflow-x: auto; } .plot svg { --plot-background: var(--paper); }
@media (max-width: 45rem) { .plot > svg, figure > svg { min-width: 40rem; } } /* rather scroll a figure than not be able to read it */
.alt { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; margin: .6rem 0; } th, td { border-bottom: 1px solid var(--line); padding: .2rem .6rem; text-align: left; vertical-align: top; } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary { cursor: pointer; color: var(--soft); }
@media print { :root { --ink: #000; --paper: #fff; --soft: #333; --line: #999; } body { max-width: none; font-size: 11pt; } .figure, tr { break-inside: avoid; } details:not([open]) { display: none; } nav { display: none; } }
`;

const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>SmartRouter: evaluation report</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<style>${style}</style></head>
<body><header><h1>SmartRouter: evaluation report</h1>
<p>Written by <code>make evaluate</code> and <code>make profile</code>. Each figure has its numbers below it.</p>
<nav aria-label="Parts"><ul>${sections.map((s) => `<li><a href="#${s.id}">${escape(s.title)}</a></li>`).join('')}</ul></nav></header>
<main>${sections.map((s) => s.html).join('\n')}</main></body></html>
`;
writeFileSync(`${output}.part`, page);
renameSync(`${output}.part`, output);
// the README shows this one too
const picture = models.mapPicture(report);
if (picture) writeFileSync(`${dirname(output)}/map.svg`, picture.svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" '));
console.log(`${output}: ${figureCount} figures, ${page.length.toLocaleString('en')} bytes`);
