// eval's figures against an independent recomputation on the same predictions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, run } from './program.js';

const near = (actual, expected, tolerance, what) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, not ${expected}`);

// SplitMix64, as eval_stats.h says
function splitmix(seed) {
  let state = BigInt(seed);
  const mask = (1n << 64n) - 1n;
  const next = () => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  return (n) => Number(((next() >> 32n) * BigInt(n)) >> 32n);
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return low + 1 < sorted.length ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
}

// rows: {group, up, label}; the mean over labels of the share of up
function bootstrap(rows, seed, byLabel) {
  const groups = new Map();
  for (const r of rows) groups.set(r.group, [...(groups.get(r.group) ?? []), r]);
  const list = [...groups.values()];
  const statistic = (all) => {
    const sums = new Map();
    for (const r of all) {
      const key = byLabel ? r.label : '';
      const s = sums.get(key) ?? [0, 0];
      s[0] += r.up;
      s[1]++;
      sums.set(key, s);
    }
    return [...sums.values()].reduce((sum, [up, n]) => sum + up / n, 0) / sums.size;
  };
  const below = splitmix(seed);
  const values = [];
  for (let b = 0; b < 2000; b++) {
    const drawn = [];
    for (let i = 0; i < list.length; i++) drawn.push(...list[below(list.length)]);
    values.push(statistic(drawn));
  }
  return { value: statistic(rows), low: quantile(values, 0.025), high: quantile(values, 0.975) };
}

const same = (actual, expected, what) => {
  for (const key of ['value', 'low', 'high']) near(actual[key], expected[key], 2e-7, `${what} ${key}`);
};

function predictions(count, seed, skill) {
  const below = splitmix(seed);
  const routes = ['alpha', 'beta', 'gamma', 'delta'];
  const languages = ['en', 'de', 'fr'];
  return Array.from({ length: count }, (_, i) => {
    const truth = below(12) === 0 ? '' : routes[below(1 + below(routes.length))];
    const right = below(100) < skill;
    const predicted = right && truth ? truth : routes[below(routes.length)];
    const lang = languages[below(3)];
    return {
      id: `vic-${lang}-${Math.floor(i / 2)}-${i}`,
      truth,
      predicted,
      score: below(1000) / 1000 - (truth ? 0 : 0.2),
      margin: below(1000) / 1000,
      confidence: Math.min(0.999, (below(500) + (predicted === truth ? 400 : 0)) / 900),
      group: `g${Math.floor(i / 3)}`,
      lang,
      source: `owner/repo-${below(3)}:file-${below(9)}.json`,
    };
  });
}

test('eval gives the accuracy, intervals, calibration error and curves that a second implementation gives', async (t) => {
  const f = folder(t);
  const rows = predictions(200, 7, 60);
  f.write('p.jsonl', rows);
  const result = await run(f.path, ['eval', '--seed', '5', '--json', 'p.jsonl']);
  assert.equal(result.status, 0, result.stderr);
  const m = JSON.parse(result.stdout).sets[0];
  const inside = rows.filter((r) => r.truth);
  const units = inside.map((r) => ({ group: r.group, up: +(r.truth === r.predicted), label: r.truth }));
  assert.equal(m.count, 200);
  assert.equal(m.in_scope, inside.length);
  same(m.accuracy, bootstrap(units, 5, false), 'accuracy');
  same(m.balanced_accuracy, bootstrap(units, 5, true), 'balanced accuracy');
  for (const route of m.routes) {
    same(route.recall, bootstrap(units.filter((u) => u.label === route.id), 5), `recall of ${route.id}`);
    const taken = inside.filter((r) => r.predicted === route.id);
    same(route.precision, bootstrap(taken.map((r) => ({ group: r.group, up: +(r.truth === r.predicted) })), 5), `precision of ${route.id}`);
  }
  m.routes.forEach(({ id }, i) =>
    m.routes.forEach((other, j) =>
      assert.equal(m.confusion[i][j], inside.filter((r) => r.truth === id && r.predicted === other.id).length),
    ),
  );
  for (const one of m.by.source) {
    const mine = inside.filter((r) => r.source.split(':')[0] === one.value);
    assert.equal(one.count, mine.length);
    same(one.accuracy, bootstrap(mine.map((r) => ({ group: r.group, up: +(r.truth === r.predicted) })), 5), one.value);
  }
  // expected calibration error, ten bins
  let ece = 0;
  for (let b = 0; b < 10; b++) {
    const bin = inside.filter((r) => Math.min(9, Math.floor(Math.fround(r.confidence) * 10)) === b);
    const right = bin.filter((r) => r.truth === r.predicted).length;
    ece += Math.abs(bin.reduce((sum, r) => sum + Math.fround(r.confidence), 0) - right);
  }
  near(m.ece, ece / inside.length, 1e-6, 'ece');
  // coverage
  const sorted = [...inside].sort((a, b) => b.confidence - a.confidence);
  for (const point of m.coverage) {
    const n = Math.round(point.coverage * inside.length);
    const least = sorted[n - 1].confidence;
    const surer = sorted.filter((r) => r.confidence > least);
    const level = sorted.filter((r) => r.confidence === least);
    const right = (list) => list.filter((r) => r.truth === r.predicted).length;
    // rows of one confidence stand in any order
    assert.ok(point.accuracy * n <= right(surer) + Math.min(n - surer.length, right(level)) + 1e-3);
    assert.ok(point.accuracy * n >= right(surer) + n - surer.length - Math.min(n - surer.length, level.length - right(level)) - 1e-3);
  }
  // out of scope: AUROC over all pairs, and recall where 5 % of the others miss
  const out = rows.filter((r) => !r.truth);
  let pairs = 0;
  for (const i of inside) for (const o of out) pairs += i.score > o.score ? 1 : i.score === o.score ? 0.5 : 0;
  near(m.out_of_scope.auroc_score, pairs / inside.length / out.length, 1e-6, 'auroc');
  const threshold = quantile(inside.map((r) => Math.fround(r.score)), 0.05);
  near(m.out_of_scope.recall, out.filter((r) => Math.fround(r.score) < threshold).length / out.length, 1e-6, 'recall');
});

test('eval compares two routers by an exact McNemar test and a paired bootstrap', async (t) => {
  const f = folder(t);
  const a = predictions(150, 3, 50);
  const b = a.map((r, i) => ({ ...r, predicted: i % 3 === 0 && r.truth ? r.truth : r.predicted }));
  f.write('a.jsonl', a);
  f.write('b.jsonl', b);
  const result = await run(f.path, ['eval', '--json', '--compare', 'a.jsonl', 'b.jsonl']);
  assert.equal(result.status, 0, result.stderr);
  const c = JSON.parse(result.stdout).compared;
  const inside = a.map((r, i) => [r, b[i]]).filter(([r]) => r.truth);
  const first = inside.filter(([x, y]) => x.predicted === x.truth && y.predicted !== y.truth).length;
  const second = inside.filter(([x, y]) => x.predicted !== x.truth && y.predicted === y.truth).length;
  assert.equal(c.only_first_right, first);
  assert.equal(c.only_second_right, second);
  let p = 0;
  for (let i = 0, choose = 1; i <= Math.min(first, second); choose = (choose * (first + second - i)) / (i + 1), i++) p += choose;
  near(c.mcnemar_p, Math.min(1, (2 * p) / 2 ** (first + second)), 1e-6, 'p');
  const units = inside.map(([x, y]) => ({ group: x.group, up: +(y.predicted === y.truth) - +(x.predicted === x.truth) }));
  same(c.difference, bootstrap(units, 1), 'difference');
});

test('versions of one prompt in several languages count once in intervals', async (t) => {
  const f = folder(t);
  // 40 prompts in 5 languages, all versions right or all wrong: as uncertain as 40 prompts, not as 200
  const rows = [];
  for (let i = 0; i < 40; i++)
    for (const lang of ['en', 'de', 'fr', 'it', 'es'])
      rows.push({ id: `vic-${lang}-${i}`, lang, truth: 'a', predicted: i % 2 ? 'a' : 'b', confidence: 0.5 });
  f.write('versions.jsonl', rows);
  f.write('single.jsonl', rows.map((r, i) => ({ ...r, id: `n${i}` })));
  const width = async (name, ...more) => {
    const { accuracy } = JSON.parse((await run(f.path, ['eval', '--json', ...more, name])).stdout).sets[0];
    return accuracy.high - accuracy.low;
  };
  const versions = await width('versions.jsonl');
  const single = await width('single.jsonl');
  near(versions / single, Math.sqrt(5), 0.3, 'ratio of widths');
  assert.equal(await width('versions.jsonl', '--seed', '1'), versions, 'the same seed gives the same interval');
});

test('eval refuses files that are not what it wants, and says what is wrong', async (t) => {
  const f = folder(t);
  f.write('unlabelled.jsonl', [{ id: 'a', text: 'hello' }]);
  f.write('broken.jsonl', '{"id": "a", "text": "hello", "route": "x"}\n{"id": \n');
  f.write('half.jsonl', [{ id: 'a', truth: 'x', predicted: 'x' }, { id: 'b', truth: 'x' }]);
  f.write('empty.jsonl', '\n\n');
  f.write('twice.jsonl', [{ id: 'a', text: 'x', route: 'r' }, { id: 'a', text: 'y', route: 'r' }]);
  const cases = [
    [['unlabelled.jsonl'], 3, /line 1: no "route" and no "label"/],
    [['broken.jsonl'], 3, /line 2/],
    [['half.jsonl'], 3, /line 2: a prediction has "truth" and "predicted"/],
    [['empty.jsonl'], 3, /no records/],
    [['twice.jsonl'], 3, /id "a" stands twice/],
    [['missing.jsonl'], 3, /cannot open missing.jsonl/],
    [[], 2, /labelled prompts are wanted/],
    [['--where', 'nonsense', 'twice.jsonl'], 3, /FIELD=VALUE/],
    [['--seed', 'x', 'half.jsonl'], 2, /--seed/],
    [['--learn', '20,5', 'twice.jsonl'], 2, /rising numbers such as 5,20,50, not '20,5'/],
    [['--robust', '--vectors', 'v.srv', 'twice.jsonl'], 2, /leave --vectors out/],
  ];
  for (const [args, status, message] of cases) {
    const result = await run(f.path, ['eval', ...args]);
    assert.equal(result.status, status, `${args}: ${result.stderr}`);
    assert.match(result.stderr, message);
  }
});

test('eval says so when all prompts have one label', async (t) => {
  const f = folder(t);
  f.write('one.jsonl', [1, 2, 3].map((i) => ({ id: `p${i}`, truth: 'a', predicted: i > 1 ? 'a' : 'b', confidence: 0.6 })));
  const result = await run(f.path, ['eval', 'one.jsonl', '-o', 'out.json']);
  assert.equal(result.status, 0);
  assert.match(result.stderr, /all prompts have one label/);
  near(JSON.parse(readFileSync(join(f.path, 'out.json'))).sets[0].accuracy.value, 2 / 3, 1e-6, 'accuracy');
});

test('every command of measurement explains itself with an example', async (t) => {
  const f = folder(t);
  for (const command of ['eval', 'sweep', 'profile', 'corpus', 'import', 'embed']) {
    const { status, stdout } = await run(f.path, [command, '--help']);
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`examples:\\n.*smartrouter ${command} `, 's'));
  }
});
