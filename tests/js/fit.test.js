// profile --fit: what a space adds, by assets that the matcher answers from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, run } from './program.js';
import { serveVectors, vectorOf } from './vectors-server.js';

const labels = ['alpha', 'beta', 'gamma'];
const spaces = ['plain', 'centred', 'whitened', 'map', 'head', 'map_and_head'];
const rows = (count, name, more = () => ({})) =>
  Array.from({ length: count }, (_, i) => {
    const route = labels[i % 3];
    return { id: `${name}-${i}`, text: `${name} ${i} route:${route}`, route, label: route, lang: 'en', ...more(i, route) };
  });

/** A folder with JSONL files and vectors of each, and profile --fit on them: { spaces } of the one embedder. */
async function measured(t, options, files, args) {
  const server = await serveVectors(options);
  t.after(() => server.close());
  const f = folder(t);
  for (const [name, list] of Object.entries(files)) {
    f.write(`${name}.jsonl`, list);
    const made = await run(f.path, ['embed', '--server', server.url, '--server-model', 'stand-in', `${name}.jsonl`, '-o', `${name}.srv`]);
    assert.equal(made.status, 0, made.stderr);
  }
  const vectors = Object.keys(files).map((name) => `${name}.srv`);
  const result = await run(f.path, ['profile', '--fit', '--seeds', '4', '--json', '-o', 'fit-stand-in--own.json', ...args, ...vectors]);
  assert.equal(result.status, 0, result.stderr);
  return { f, vectors, list: JSON.parse(result.stdout).embedders[0].spaces };
}

// By doubles: unit(v - mean), the mean of the five nearest utterances of each label.
function accuracy(train, tests, pull, centred) {
  const unit = (v) => { const n = Math.hypot(...v); return v.map((x) => x / n); };
  const of = ({ text }) => unit(vectorOf(text, 64, pull));
  const average = (list) => list[0].map((_, d) => list.reduce((sum, v) => sum + v[d], 0) / list.length);
  const mean = average(labels.map((label) => average(train.filter((r) => r.label === label).map(of))));
  const place = (r) => unit(of(r).map((x, d) => x - (centred ? mean[d] : 0)));
  const placed = train.map((r) => ({ label: r.label, at: place(r) }));
  const right = tests.filter((r) => {
    const q = place(r);
    const score = (label) => {
      const near = placed.filter((p) => p.label === label).map((p) => p.at.reduce((sum, x, d) => sum + x * q[d], 0)).sort((a, b) => b - a).slice(0, 5);
      return near.reduce((sum, x) => sum + x, 0) / near.length;
    };
    return labels.every((label) => label === r.label || score(label) <= score(r.label));
  });
  return right.length / tests.length;
}

test('plain and centred cosine are as right as a second implementation finds, and what is fitted helps', async (t) => {
  const pull = { route: 0.35 };
  const train = rows(60, 'train', () => ({ split: 'train' })), tests = rows(120, 'test', () => ({ split: 'test' }));
  const out = Array.from({ length: 40 }, (_, i) => ({ text: `nothing of the kind ${i}`, label: 'oos', split: 'test', lang: 'en' }));
  const { list } = await measured(t, { pull }, { pool: rows(240, 'pool'), tests: rows(120, 'more'), bench: [...train, ...tests, ...out] },
    ['--pool', 'pool.jsonl', '--tests', 'tests.jsonl', '--clinc', 'bench.jsonl', '--home', 'bench.jsonl']);
  assert.deepEqual(Object.keys(list), ['routing', 'clinc150_10', 'clinc150_3', 'home_intents']);
  for (const table of Object.values(list)) {
    assert.deepEqual(Object.keys(table), spaces);
    for (const space of Object.values(table)) assert.ok(space.asset_bytes > 1000 && space.match_us > 0);
  }
  const { plain, centred, map } = list.home_intents;
  for (const [space, isCentred] of [[plain, false], [centred, true]]) {
    const expected = accuracy(train, tests, pull, isCentred);
    assert.ok(Math.abs(space.accuracy.value - expected) < 0.03, `${space.accuracy.value}, not ${expected}`); // int8 rows
  }
  assert.ok(plain.out_of_scope_auroc.value > 0.5);
  assert.ok(map.accuracy.value > 0.4, `map ${map.accuracy.value}`);
  for (const fitted of ['map', 'head', 'map_and_head'])
    assert.ok(list.routing[fitted].accuracy.value >= list.routing.plain.accuracy.value, `${fitted} ${list.routing[fitted].accuracy.value}`);
});

test('what is left out for a test helps no map and no head', async (t) => {
  // nothing but the source tells the routes apart, and each source is left out for its own tests
  const leaky = (count, name) => rows(count, name, (i, route) => {
    const source = ['one', 'two', 'three', 'four'][Math.floor(i / 3) % 4];
    return { source, text: `${name} ${i} source:${source}/${route}` };
  });
  const ordinary = rows(90, 'ordinary').map((r) => ({ ...r, text: `${r.id} without a hint` }));
  const { list, f, vectors } = await measured(t, { pull: { source: 1.5 } }, { ordinary, all: leaky(240, 'p') },
    ['--pool', 'ordinary.jsonl,all.jsonl', '--tests', 'all.jsonl', '--leave-out', 'source']);
  for (const space of spaces) assert.ok(list.routing[space].accuracy.value < 0.55, `${space} ${list.routing[space].accuracy.value}`);
  const none = await run(f.path, ['profile', '--fit', '--pool', 'all.jsonl', '--tests', 'all.jsonl', '--leave-out', 'source', ...vectors]);
  assert.equal(none.status, 3);
  assert.match(none.stderr, /0 prompts of --pool are left out for no test; at least 16/);
  const alone = await run(f.path, ['profile', '--fit', '--home', 'all.jsonl', ...vectors]);
  assert.equal(alone.status, 2);
  assert.match(alone.stderr, /--fit wants --pool and --tests/);
});

test('report makes the table of spaces', async (t) => {
  const { f } = await measured(t, { pull: { route: 1 } }, { pool: rows(60, 'pool'), tests: rows(60, 'tests') }, ['--pool', 'pool.jsonl', '--tests', 'tests.jsonl']);
  f.write('routes.json', JSON.stringify({ name: 'three', fallback: 'alpha', embedder: { model: 'stand-in' }, routes: labels.map((id) => ({ id, utterances: [`route:${id}`] })) }));
  const server = await serveVectors();
  t.after(() => server.close());
  for (const args of [['compile', '--server', server.url, 'routes.json', '-o', 'routes.srr'], ['report', '--data', '.', '--routes', 'routes.srr', '-o', '.']]) {
    const result = await run(f.path, args);
    assert.equal(result.status, 0, result.stderr);
  }
  const lines = readFileSync(join(f.path, 'spaces.md'), 'utf8').trim().split('\n');
  assert.equal(lines.length, 2 + spaces.length);
  for (const line of lines) assert.equal(line.split('|').length, lines[0].split('|').length, line);
  assert.match(lines[2], /^\| stand-in \| plain cosine \| - \| \d+\.\d \|/);
});

const written = {
  kitchen: { en: ['how long do I boil an egg', 'a soup with leeks', 'my dough does not rise', 'what goes with roast lamb'], de: ['wie lange kocht ein Ei', 'Suppe mit Lauch', 'mein Teig geht nicht auf', 'was passt zu Lammbraten'] },
  garden: { en: ['when do I prune roses', 'slugs eat my lettuce', 'moss in the lawn', 'which hedge grows fast'], de: ['wann schneide ich Rosen', 'Schnecken fressen Salat', 'Moos im Rasen', 'welche Hecke wächst schnell'] },
  garage: { en: ['the brakes squeal', 'oil under the car', 'my battery is flat', 'change the winter tyres'], de: ['die Bremsen quietschen', 'Öl unter dem Auto', 'meine Batterie ist leer', 'Winterreifen wechseln'] },
};

test('two fresh runs of tune and compile write the same bytes, and a fit of another model is refused with both names', async (t) => {
  const f = folder(t);
  for (const [route, languages] of Object.entries(written)) {
    mkdirSync(join(f.path, 'corpus', route), { recursive: true });
    for (const [lang, texts] of Object.entries(languages)) f.write(`corpus/${route}/${lang}.jsonl`, texts.map((text) => ({ text })));
  }
  f.write('routes.json', JSON.stringify({ name: 'house', fallback: 'kitchen', routes: Object.entries(written).map(([id, { en }]) => ({ id, utterances: en })) }));
  const model = (name) => fileURLToPath(new URL(`../../build/model/${name}.srm`, import.meta.url));
  const tune = (n) =>
    ['tune', '--routes', 'routes.json', '--corpus', 'corpus', '--model', model('smartrouter-model'), '--exits', '0,1', '--per-route', '3', '--basis', '16', '--row-dim', '5', '--trials', '5', '--cache', `cache-${n}`, '-o', `house-${n}/house.json`];
  const made = async (n) => {
    for (const args of [
      tune(n),
      ['compile', `house-${n}/house.json`, '--model', model('smartrouter-model'), '-o', `house-${n}/house.srr`],
    ]) {
      mkdirSync(join(f.path, `house-${n}`), { recursive: true });
      const result = await run(f.path, args);
      assert.equal(result.status, 0, result.stderr);
    }
    return ['json', 'srf', 'srr'].map((ending) => readFileSync(join(f.path, `house-${n}/house.${ending}`)));
  };
  const first = await made(1);
  assert.deepEqual(await made(2), first);
  const other = await run(f.path, ['compile', 'house-1/house.json', '--model', model('parity'), '-o', 'x.srr']);
  assert.equal(other.status, 3);
  assert.match(other.stderr, /the fit was made for model multilingual-e5-small with content [0-9a-f]{16}; this model is multilingual-e5-small, content [0-9a-f]{16}/);
});

test('compile maps a table without a fit by its model’s whitening, unless that is refused or there is none', async (t) => {
  const f = folder(t);
  const model = (name) => fileURLToPath(new URL(`../../build/model/${name}.srm`, import.meta.url));
  f.write('routes.json', JSON.stringify({ name: 'house', fallback: 'kitchen', embedder: { exits: [1, 2] }, routes: Object.entries(written).map(([id, { en }]) => ({ id, utterances: en })) }));
  for (const [name, args, note, mapped] of [
    ['a', [], /layer 1, layer 2 .*by the model's whitening where it has one, else plain cosine/, true],
    ['b', ['--threads', '1'], /by the model's whitening/, true],
    ['plain', ['--no-map'], /by plain cosine$/m, false],
    ['none', ['--model', model('parity')], /by plain cosine: the model has no whitening of these layers/, false],
  ]) {
    const made = await run(f.path, ['compile', 'routes.json', '--model', model('general-model'), ...args, '-o', `${name}.srr`]);
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stderr, note);
    const { asset } = JSON.parse((await run(f.path, ['inspect', '--json', `${name}.srr`])).stdout);
    assert.equal(asset.exits[0].rowDim < asset.exits[0].dim, mapped);
    assert.equal(asset.exits[1].rowDim, asset.exits[1].dim, 'there is no whitening after layer 2');
  }
  assert.deepEqual(readFileSync(join(f.path, 'a.srr')), readFileSync(join(f.path, 'b.srr')));
});

test('a fit and a server exclude each other, and the message names the field', async (t) => {
  const f = folder(t);
  const routes = [{ id: 'a', utterances: ['x'] }, { id: 'b', utterances: ['y'] }];
  f.write('fitted.json', JSON.stringify({ name: 'n', fallback: 'a', fit: 'n.srf', embedder: { model: 'm' }, routes }));
  f.write('bare.json', JSON.stringify({ name: 'n', fallback: 'a', embedder: { model: 'm' }, routes }));
  const server = ['--server', 'http://127.0.0.1:9/v1'];
  const inFile = await run(f.path, ['compile', 'fitted.json', ...server]);
  assert.equal(inFile.status, 3);
  assert.match(inFile.stderr, /fitted\.json: "fit" and --server exclude each other/);
  const asked = await run(f.path, ['compile', 'bare.json', ...server, '--fit', 'n.srf']);
  assert.equal(asked.status, 3);
  assert.match(asked.stderr, /--fit and --server exclude each other/);
});
