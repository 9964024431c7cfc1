// Vector files, sweeps, profiles and the corpus check, on a stand-in embeddings server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, run } from './program.js';
import { serveVectors, vectorOf } from './vectors-server.js';

const routes = ['alpha', 'beta', 'gamma'];

// Prompts of which a share of the vector points to the route, and another to the source.
function prompts(count, name, sources = ['one', 'two', 'three']) {
  return Array.from({ length: count }, (_, i) => {
    const route = routes[i % routes.length];
    const source = sources[Math.floor(i / routes.length) % sources.length];
    const lang = ['en', 'de', 'fr', 'it'][i % 4];
    return { id: `${name}-${i}`, text: `${name} ${i} route:${route} source:${source}/${route}`, route, lang, source };
  });
}

async function embedded(t, options, files) {
  const server = await serveVectors(options);
  t.after(() => server.close());
  const f = folder(t);
  for (const [name, rows] of Object.entries(files)) {
    f.write(`${name}.jsonl`, rows);
    const result = await run(f.path, ['embed', '--server', server.url, '--server-model', 'stand-in', `${name}.jsonl`, '-o', `${name}.srv`]);
    assert.equal(result.status, 0, result.stderr);
  }
  return { f, server };
}

test('an embedding run that breaks off keeps what it has and goes on from there', async (t) => {
  const server = await serveVectors({ failAfter: 6 });
  t.after(() => server.close());
  const f = folder(t);
  f.write('p.jsonl', prompts(500, 'p'));
  const args = ['embed', '--server', server.url, '--server-model', 'm', 'p.jsonl', '-o', 'p.srv'];
  const broken = await run(f.path, args);
  assert.equal(broken.status, 3);
  assert.match(broken.stderr, /the same command goes on from there/);
  assert.ok(existsSync(join(f.path, 'p.srv.part')));
  assert.ok(!existsSync(join(f.path, 'p.srv')), 'nothing unfinished under the real name');
  const kept = Number(/(\d+) of 500 texts are done/.exec(broken.stderr)[1]);
  assert.ok(kept >= 128);
  server.failAfter = undefined;
  server.texts = 0;
  const whole = await run(f.path, args);
  assert.equal(whole.status, 0, whole.stderr);
  assert.equal(server.texts, 500 - kept, 'only what was missing is asked for');
  assert.ok(!existsSync(join(f.path, 'p.srv.part')));
  // the same bytes as a run that was not broken off
  const again = await run(f.path, [...args.slice(0, -1), 'q.srv']);
  assert.equal(again.status, 0);
  assert.deepEqual(readFileSync(join(f.path, 'p.srv')), readFileSync(join(f.path, 'q.srv')));
  // a changed text, and only that, is embedded again
  const changed = prompts(500, 'p');
  changed[7].text += ' more';
  f.write('p.jsonl', changed);
  server.texts = 0;
  assert.equal((await run(f.path, args)).status, 0);
  assert.equal(server.texts, 1);
});

test('a run that is told to stop saves its vectors first', async (t) => {
  const server = await serveVectors({ delay: 30 });
  t.after(() => server.close());
  const f = folder(t);
  f.write('p.jsonl', prompts(3000, 'p'));
  const args = ['embed', '--server', server.url, '--server-model', 'm', 'p.jsonl', '-o', 'p.srv'];
  const stopped = await run(f.path, args, (child) => {
    const watch = setInterval(() => {
      if (server.texts < 300) return;
      clearInterval(watch);
      child.kill('SIGTERM');
    }, 5).unref();
  });
  assert.equal(stopped.status, 3, stopped.stderr);
  assert.match(stopped.stderr, /of 3000 texts are done and kept/);
  const before = server.texts;
  server.delay = 0;
  assert.equal((await run(f.path, args)).status, 0);
  assert.ok(server.texts <= 3000 + 160 && server.texts > before, `${server.texts} texts asked for in all`);
});

test('vectors of different models never meet', async (t) => {
  const { f, server } = await embedded(t, {}, { pool: prompts(60, 'pool'), tests: prompts(30, 'tests') });
  const other = await run(f.path, ['embed', '--server', server.url, '--server-model', 'other', 'tests.jsonl', '-o', 'tests.srv']);
  assert.equal(other.status, 3);
  assert.match(other.stderr, /tests.srv holds vectors of stand-in .*these would be of other/s);
  assert.equal((await run(f.path, ['embed', '--server', server.url, '--server-model', 'other', 'tests.jsonl', '-o', 'other.srv'])).status, 0);
  const sweep = await run(f.path, ['sweep', '--pool', 'pool.jsonl', '--vectors', 'pool.srv,other.srv', 'tests.jsonl']);
  assert.equal(sweep.status, 3);
  assert.match(sweep.stderr, /vectors of different models are never compared/);
  f.write('routes.json', JSON.stringify({
    name: 't', version: 1, fallback: 'alpha', embedder: { model: 'stand-in' },
    routes: routes.map((id) => ({ id, utterances: [`route:${id} first`, `route:${id} second`] })),
  }));
  const compiled = await run(f.path, ['compile', '--server', server.url, 'routes.json', '-o', 'routes.srr']);
  assert.equal(compiled.status, 0, compiled.stderr);
  const wrong = await run(f.path, ['eval', '--routes', 'routes.srr', '--vectors', 'other.srv', 'tests.jsonl']);
  assert.equal(wrong.status, 3);
  assert.match(wrong.stderr, /no exit of this asset wants them/);
  const absent = await run(f.path, ['eval', '--routes', 'routes.srr', '--vectors', 'pool.srv', 'tests.jsonl']);
  assert.equal(absent.status, 3);
  assert.match(absent.stderr, /no vector for tests.jsonl: line 1/);
  f.write('strange.jsonl', [{ id: 'x', text: 'x', route: 'omega' }]);
  const label = await run(f.path, ['eval', '--routes', 'routes.srr', '--vectors', 'pool.srv', 'strange.jsonl']);
  assert.match(label.stderr, /the label "omega" is no route/);
  f.write('not.srv', 'SRV1 but not really');
  const damaged = await run(f.path, ['eval', '--routes', 'routes.srr', '--vectors', 'not.srv', 'tests.jsonl']);
  assert.equal(damaged.status, 3);
  assert.match(damaged.stderr, /SR_E_TRUNCATED/);
});

test('import takes vectors from elsewhere and refuses what is none', async (t) => {
  const f = folder(t);
  const rows = prompts(30, 'p');
  f.write('p.jsonl', rows);
  f.write('v.jsonl', rows.map(({ id, text }) => ({ id, vector: vectorOf(text, 8) })));
  const done = await run(f.path, ['import', '--model', 'mine', '--texts', 'p.jsonl', 'v.jsonl', '-o', 'v.srv']);
  assert.equal(done.status, 0, done.stderr);
  assert.equal((await run(f.path, ['import', '--model', 'mine', '--f16', 'v.jsonl', '-o', 'h.srv'])).status, 0);
  assert.ok(statSync(join(f.path, 'h.srv')).size < statSync(join(f.path, 'v.srv')).size);
  for (const [name, lines, message] of [
    ['dim', [{ id: 1, vector: [1, 2, 3, 4] }, { id: 2, vector: [1, 2, 3, 4, 5] }], /line 2: 5 numbers; the lines before have 4/],
    ['small', [{ id: 1, vector: [1] }], /1 numbers; 4 to 8192/],
    ['noid', [{ vector: [1, 2, 3, 4] }], /no "id"/],
    ['text', [{ id: 1, vector: [1, 'a', 3, 4] }], /no finite number/],
    ['huge', '{"id": 1, "vector": [1e300, 0, 0, 0]}\n', /no finite number/],
    ['none', '\n', /no vectors/],
  ]) {
    f.write(`${name}.jsonl`, lines);
    const result = await run(f.path, ['import', '--model', 'm', `${name}.jsonl`, '-o', 'x.srv']);
    assert.equal(result.status, 3);
    assert.match(result.stderr, message);
    assert.ok(!existsSync(join(f.path, 'x.srv')));
  }
  f.write('others.jsonl', [{ id: 'q', vector: [1, 2, 3, 4] }]);
  const unknown = await run(f.path, ['import', '--model', 'm', '--texts', 'p.jsonl', 'others.jsonl', '-o', 'x.srv']);
  assert.match(unknown.stderr, /has no text with the id "q"/);
});

test('a model of 4096 dimensions works from embedding to report figures', async (t) => {
  const { f, server } = await embedded(t, { dim: 4096, pull: { route: 0.4 } }, { pool: prompts(90, 'pool'), tests: prompts(45, 'tests') });
  f.write('routes.json', JSON.stringify({
    name: 't', version: 1, fallback: 'alpha', embedder: { model: 'stand-in', dimensions: 4096 }, aggregation: 'max',
    routes: routes.map((id) => ({ id, utterances: [`route:${id} first`, `route:${id} second`] })),
  }));
  const compiled = await run(f.path, ['compile', '--server', server.url, 'routes.json', '-o', 'routes.srr']);
  assert.equal(compiled.status, 0, compiled.stderr);
  const evaluated = await run(f.path, ['eval', '--routes', 'routes.srr', '--vectors', 'tests.srv', '--json', '--predictions', 'p.jsonl', 'tests.jsonl']);
  assert.equal(evaluated.status, 0, evaluated.stderr);
  const { sets } = JSON.parse(evaluated.stdout);
  const decided = readFileSync(join(f.path, 'p.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  // the same decisions as cosines in doubles
  const unit = (v) => { const n = Math.hypot(...v); return v.map((x) => x / n); };
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  const rows = routes.map((id) => [`route:${id} first`, `route:${id} second`].map((u) => unit(vectorOf(u, 4096, server.pull))));
  for (const p of decided) {
    const q = unit(vectorOf(prompts(45, 'tests').find((r) => r.id === p.id).text, 4096, server.pull));
    const scores = rows.map((list) => Math.max(...list.map((u) => dot(u, q))));
    const best = scores.indexOf(Math.max(...scores));
    assert.ok(Math.abs(p.score - scores[best]) < 0.01);
    const [first, second] = [...scores].sort((a, b) => b - a);
    if (first - second > 0.01) assert.equal(p.predicted, routes[best]);
  }
  assert.ok(sets[0].accuracy.value > 0.9, `accuracy ${sets[0].accuracy.value}`);
  const swept = await run(f.path, ['sweep', '--pool', 'pool.jsonl', '--vectors', 'pool.srv,tests.srv', '--seeds', '3', '--json', 'tests.jsonl']);
  assert.equal(swept.status, 0, swept.stderr);
  assert.ok(JSON.parse(swept.stdout).settings.length > 50);
  const profiled = await run(f.path, ['profile', '--pool', 'pool.jsonl', '--tests', 'tests.jsonl', '--seeds', '3', '--json', 'pool.srv', 'tests.srv']);
  assert.equal(profiled.status, 0, profiled.stderr);
  const [one] = JSON.parse(profiled.stdout).embedders;
  assert.equal(one.dimensions, 4096);
  assert.ok(one.routing.head.value > 0.9 && one.routing.utterances['16'].value > 0.8);
});

test('a sample has rows of every stratum, the same ones whatever is read beside it, and smaller ones lie within larger', async (t) => {
  const server = await serveVectors({ pull: { route: 1 } });
  t.after(() => server.close());
  const f = folder(t);
  f.write('pool.jsonl', prompts(240, 'pool'));
  f.write('more.jsonl', prompts(50, 'more'));
  const sample = async (k, ...files) => {
    const result = await run(f.path, ['embed', '--server', server.url, '--server-model', 'm', '--one-in', String(k), ...files]);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.trim().split('\n').map((line) => JSON.parse(line).id);
  };
  const [two, four] = [await sample(2, 'pool.jsonl'), await sample(4, 'pool.jsonl')];
  assert.deepEqual((await sample(4, 'pool.jsonl', 'more.jsonl')).filter((id) => id.startsWith('pool')), four);
  assert.equal(two.length, 120);
  assert.equal(four.length, 60);
  assert.ok(four.every((id) => two.includes(id)));
  const rows = new Map(prompts(240, 'pool').map((r) => [r.id, r]));
  const strata = Map.groupBy?.(four, (id) => `${rows.get(id).route} ${rows.get(id).lang}`) ?? four.reduce((m, id) => {
    const key = `${rows.get(id).route} ${rows.get(id).lang}`;
    return m.set(key, [...(m.get(key) ?? []), id]);
  }, new Map());
  assert.deepEqual([...strata.values()].map((ids) => ids.length), Array(12).fill(5));
  // profile takes the same rows: vectors of the sample are all that it wants
  f.write('tests.jsonl', prompts(60, 'tests'));
  for (const [name, k] of [['pool', 4], ['tests', 2]])
    assert.equal((await run(f.path, ['embed', '--server', server.url, '--server-model', 'm', '--one-in', String(k), `${name}.jsonl`, '-o', `${name}.srv`])).status, 0);
  const profile = (...more) => run(f.path, ['profile', '--pool', 'pool.jsonl', '--tests', 'tests.jsonl', '--seeds', '3', '--json', ...more, 'pool.srv', 'tests.srv']);
  const sampled = await profile('--one-in', '4', '--tests-one-in', '2');
  assert.equal(sampled.status, 0, sampled.stderr);
  const { routing } = JSON.parse(sampled.stdout).embedders[0];
  assert.deepEqual([routing.pool, routing.tests], [60, 36]);
  assert.equal((await profile('--one-in', '2', '--tests-one-in', '2')).status, 3, 'vectors are missing');
});

test('profile gives plain cosine, centred and mapped, by route, and a map tells apart what single utterances do not', async (t) => {
  const { f } = await embedded(t, { pull: { route: 0.4 } }, { pool: prompts(480, 'pool'), tests: prompts(60, 'tests') });
  const result = await run(f.path, ['profile', '--pool', 'pool.jsonl', '--tests', 'tests.jsonl', '--seeds', '5', '--json', 'pool.srv', 'tests.srv']);
  assert.equal(result.status, 0, result.stderr);
  const { routing } = JSON.parse(result.stdout).embedders[0];
  for (const space of ['raw', 'utterances', 'mapped'])
    for (const count of ['1', '4', '16', '64']) {
      const { value, routes: by } = routing[space][count];
      assert.deepEqual(Object.keys(by), routes);
      // the tests are a third of each route: the mean of the routes is the accuracy
      assert.ok(Math.abs(Object.values(by).reduce((a, b) => a + b) / 3 - value) < 1e-6, `${space} ${count}`);
    }
  assert.ok(routing.mapped['1'].value > routing.raw['1'].value, `mapped ${routing.mapped['1'].value}, plain ${routing.raw['1'].value}`);
  assert.deepEqual(routing.raw_similarity.map((s) => s.route), ['all', ...routes]);
  assert.deepEqual(Object.keys(routing.head_routes), routes);
});

test('leaving sources out finds a planted leak, and repeated prompts are refused', async (t) => {
  // nothing but the source tells the routes apart: whoever may look at the same source is always right
  const { f } = await embedded(t, { pull: { source: 1.5 } }, { all: prompts(240, 'p', ['one', 'two', 'three', 'four']) });
  const repeated = await run(f.path, ['sweep', '--pool', 'all.jsonl', '--vectors', 'all.srv', 'all.jsonl']);
  assert.equal(repeated.status, 3);
  assert.match(repeated.stderr, /240 test prompts are in the pool too/);
  const rows = prompts(240, 'p', ['one', 'two', 'three', 'four']);
  f.write('pool.jsonl', rows.filter((_, i) => i % 24 < 12));
  f.write('tests.jsonl', rows.filter((_, i) => i % 24 >= 12));
  const accuracy = async (...more) => {
    const result = await run(f.path, ['sweep', '--pool', 'all.jsonl', '--vectors', 'all.srv', '--seeds', '4', '--json', ...more]);
    assert.equal(result.status, 0, result.stderr);
    const { settings } = JSON.parse(result.stdout);
    return settings.find((s) => s.factor === 'length' && s.length === 16).results.find((r) => r.k === 5).accuracy.value;
  };
  const leaky = await run(f.path, ['sweep', '--pool', 'pool.jsonl', '--vectors', 'all.srv', '--seeds', '4', '--json', 'tests.jsonl']);
  const open = JSON.parse(leaky.stdout).settings.find((s) => s.length === 16).results.find((r) => r.k === 5).accuracy.value;
  const shut = await accuracy('--leave-out', 'source', 'all.jsonl');
  assert.ok(shut < 0.5, `with sources left out ${shut}`);
  const { embedders } = JSON.parse(
    (await run(f.path, ['profile', '--pool', 'all.jsonl', '--tests', 'all.jsonl', '--leave-out', 'source', '--seeds', '3', '--json', 'all.srv'])).stdout,
  );
  for (const key of ['head', 'prototype', 'all_utterances'])
    assert.ok(embedders[0].routing[key].value < 0.55, `${key} ${embedders[0].routing[key].value}`);
  assert.ok(open > 0.55, `with sources shared ${open}`);
});

test('sweep and profile give the same figures on one thread and on several', async (t) => {
  const { f } = await embedded(t, {}, { pool: prompts(90, 'pool'), tests: prompts(60, 'tests') });
  for (const args of [
    ['sweep', '--pool', 'pool.jsonl', '--vectors', 'pool.srv,tests.srv', '--seeds', '3', '--json', 'tests.jsonl'],
    ['profile', '--pool', 'pool.jsonl', '--tests', 'tests.jsonl', '--seeds', '4', '--json', 'pool.srv', 'tests.srv'],
  ]) {
    const one = await run(f.path, [...args, '--threads', '1']);
    const four = await run(f.path, [...args, '--threads', '4']);
    assert.equal(one.status, 0, one.stderr);
    assert.equal(one.stdout, four.stdout);
  }
});

test('one label is nothing to tell apart', async (t) => {
  const { f } = await embedded(t, {}, { pool: prompts(30, 'pool').filter((r) => r.route === 'alpha'), tests: prompts(9, 'tests') });
  const result = await run(f.path, ['sweep', '--pool', 'pool.jsonl', '--vectors', 'pool.srv,tests.srv', 'tests.jsonl']);
  assert.equal(result.status, 3);
  assert.match(result.stderr, /one label only/);
});

test('a benchmark is profiled with its out-of-scope prompts', async (t) => {
  const rows = ['train', 'test'].flatMap((split) =>
    prompts(split === 'train' ? 90 : 60, split).map(({ text, route }) => ({ text: text.replace(/ source:\S+/, ''), label: route, split, lang: 'en' })),
  );
  for (let i = 0; i < 20; i++) rows.push({ text: `nothing of the kind ${i}`, label: 'oos', split: 'test', lang: 'en' });
  const { f } = await embedded(t, { pull: { route: 2 } }, { bench: rows });
  const result = await run(f.path, ['profile', '--clinc', 'bench.jsonl', '--home', 'bench.jsonl', '--seeds', '4', '--json', 'bench.srv']);
  assert.equal(result.status, 0, result.stderr);
  const { clinc150, home_intents } = JSON.parse(result.stdout).embedders[0];
  assert.equal(clinc150.labels, 3);
  assert.ok(clinc150.shots_10.head.accuracy.value > 0.95);
  assert.ok(clinc150.shots_10.utterances.out_of_scope_auroc.value > 0.95);
  assert.ok(home_intents.full.prototype.accuracy.value > 0.95);
});

test('corpus check finds what the README forbids', async (t) => {
  const f = folder(t);
  mkdirSync(join(f.path, 'corpus/alpha'), { recursive: true });
  writeFileSync(join(f.path, 'corpus/alpha/topics.txt'), 'garden\nkitchen\nattic\n');
  const check = async (rows) => {
    f.write('corpus/alpha/en.jsonl', rows);
    return run(f.path, ['corpus', 'check', 'corpus']);
  };
  const good = [
    { text: 'when do I cut the roses back', topic: 'garden', style: 'plain' },
    { text: 'my bread is flat, what now?', topic: 'kitchen', style: 'chatty' },
    { text: 'old suitcases smell of dust. help', topic: 'attic', style: 'terse' },
  ];
  const clean = await check(good);
  assert.equal(clean.status, 0, clean.stdout + clean.stderr);
  const cases = [
    [{ text: 'Something else entirely', topic: 'cellar', style: 'plain' }, /topic "cellar" is not in/],
    [{ text: 'Something else entirely', topic: 'attic', style: 'baroque' }, /unknown style "baroque"/],
    [{ text: 'Something else entirely', topic: 'attic', style: 'plain', mood: 'good' }, /unknown field "mood"/],
    [{ text: 'When do I cut the roses back?!', topic: 'garden', style: 'plain' }, /nearly the text of corpus\/alpha\/en.jsonl:1/],
    [{ text: 'when do I cut the roses back, please', topic: 'garden', style: 'plain' }, /nearly the text of corpus\/alpha\/en.jsonl:1/],
    [{ text: '  ', topic: 'attic', style: 'plain' }, /the text is empty/],
  ];
  for (const [row, message] of cases) {
    const result = await check([...good, row]);
    assert.equal(result.status, 1);
    assert.match(result.stdout, message);
    assert.match(result.stdout, /^1 problems$/m);
  }
  assert.match((await check(good.slice(0, 2))).stdout, /no file covers attic/);
  const openings = ['roses', 'bread', 'a chair', 'the cellar door'].map((what, i) => ({
    text: `how do I best ${['prune', 'bake', 'mend', 'oil'][i]} ${what} number ${i * 7919}`, topic: 'garden', style: 'plain',
  }));
  assert.match((await check([...good, ...openings])).stdout, /"how do i best \.\.\." opens 4 prompts/);
  assert.equal((await check([...good, ...openings.slice(1)])).status, 0);
});

test('a user who overrides mistakes: what was taught goes right, what is alike follows', async (t) => {
  const { f, server } = await embedded(t, { pull: { route: 0.5, source: 1 } }, { tests: prompts(240, 'tests') });
  f.write('routes.json', JSON.stringify({
    name: 't', fallback: 'alpha', embedder: { model: 'stand-in' },
    routes: routes.map((id) => ({ id, utterances: [1, 2, 3, 4, 5, 6].map((n) => `route:${id} ${n}`) })),
  }));
  assert.equal((await run(f.path, ['compile', '--server', server.url, 'routes.json', '-o', 'routes.srr'])).status, 0);
  const learn = async (...more) => {
    const result = await run(f.path, ['eval', '--routes', 'routes.srr', '--vectors', 'tests.srv', '--learn', '2,4', '--json', ...more, 'tests.jsonl']);
    assert.equal(result.status, 0, result.stderr);
    return JSON.parse(result.stdout).learn.overrides;
  };
  const stages = await learn();
  assert.deepEqual(stages.map((s) => s.count), [2, 4]);
  for (const { count, taught, near, rest } of stages) {
    assert.equal(taught.count, count);
    assert.deepEqual([taught.before, taught.after], [0, 1]);
    assert.ok(near.after > near.before + 0.1, `alike: ${near.before} to ${near.after}`);
    assert.ok(rest.after >= rest.before - 0.01, `others: ${rest.before} to ${rest.after}`);
    assert.ok(Math.abs(taught.count + near.count + rest.count - 240) < 1e-3);
  }
  assert.deepEqual(await learn('--threads', '1'), stages);
  assert.notDeepEqual(await learn('--seed', '2'), stages);
});

test('whiten turns down what prompts of one topic differ in', async (t) => {
  // a strong direction for the language, a weak one for the topic; other topics than the routes are about
  const about = (kinds, name, count) =>
    Array.from({ length: count }, (_, i) => {
      const route = kinds[i % kinds.length], lang = `language${Math.floor(i / kinds.length) % 8}`;
      return { id: `${name}-${i}`, text: `${name} ${i} route:${route} source:${lang}`, route, topic: route };
    });
  const topics = Array.from({ length: 30 }, (_, i) => `topic${i}`);
  const { f } = await embedded(t, { dim: 48, pull: { route: 1, source: 2.5 } }, {
    corpus: about(topics, 'corpus', 960), pool: about(routes, 'pool', 96), tests: about(routes, 'tests', 96),
  });
  const whitened = await run(f.path, ['whiten', '--vectors', 'corpus.srv', '--row-dim', '24', 'corpus.jsonl', '-o', 'whitening.srf']);
  assert.equal(whitened.status, 0, whitened.stderr);
  const accuracy = async (...more) => {
    const result = await run(f.path, ['sweep', '--pool', 'pool.jsonl', '--vectors', 'pool.srv,tests.srv', '--seeds', '3', '--json', ...more, 'tests.jsonl']);
    assert.equal(result.status, 0, result.stderr);
    const { results } = JSON.parse(result.stdout).settings.find((s) => s.factor === 'length' && s.length === 4);
    return results.find((r) => r.k === 1).accuracy.value;
  };
  const [plain, mapped] = [await accuracy(), await accuracy('--fit', 'whitening.srf')];
  assert.ok(mapped > plain + 0.1, `${plain} to ${mapped}`);
  f.write('none.jsonl', [{ id: 'a', text: 'x', route: 'alpha' }]);
  const none = await run(f.path, ['whiten', '--vectors', 'corpus.srv', 'none.jsonl']);
  assert.equal(none.status, 3);
  assert.match(none.stderr, /none\.jsonl: line 1: no "topic"/);
  const wide = await run(f.path, ['whiten', '--vectors', 'corpus.srv', '--row-dim', '40', 'corpus.jsonl', '-o', 'wide.srf']);
  assert.match(wide.stderr, /there are 30 topics/);
});
