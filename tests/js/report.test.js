// The report: tables, the page, and the README's marked places.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, run } from './program.js';
import { serveVectors } from './vectors-server.js';

const script = (name) => fileURLToPath(new URL(`../../web/report/${name}`, import.meta.url));
const routes = ['alpha', 'beta', 'gamma'];
const prompts = (count, name) =>
  Array.from({ length: count }, (_, i) => ({
    id: `${name}-${i}`,
    text: `${name} ${i} <script>alert(1)</script> route:${routes[i % 3]}`,
    route: routes[i % 3],
    lang: ['en', 'de'][i % 2],
  }));

test('report makes tables, and a page that needs nothing else, of what was measured', async (t) => {
  const server = await serveVectors({ pull: { route: 1 } });
  t.after(() => server.close());
  const f = folder(t);
  const good = async (...args) => {
    const result = await run(f.path, args);
    assert.equal(result.status, 0, `${args[0]}: ${result.stderr}`);
  };
  mkdirSync(join(f.path, 'data'));
  for (const [name, count] of [['pool', 90], ['tests', 60]]) {
    f.write(`${name}.jsonl`, prompts(count, name));
    await good('embed', '--server', server.url, '--server-model', 'stand-in', `${name}.jsonl`, '-o', `${name}.srv`);
  }
  f.write('routes.json', JSON.stringify({
    name: 'three', version: 1, fallback: 'alpha', embedder: { model: 'stand-in' },
    routes: routes.map((id) => ({ id, threshold: 0.05, utterances: [`route:${id} first`, `route:${id} second`] })),
  }));
  await good('compile', '--server', server.url, 'routes.json', '-o', 'routes.srr');
  await good('eval', '--routes', 'routes.srr', '--vectors', 'tests.srv', 'tests.jsonl', '-o', 'data/eval-own.json');
  await good('eval', '--routes', 'routes.srr', '--vectors', 'tests.srv', '--learn', '1', 'tests.jsonl', '-o', 'data/learn-own.json');
  await good('eval', '--routes', 'routes.srr', '--vectors', 'tests.srv', 'tests.jsonl', '-o', 'data/other-smart-home--plain.json');
  f.write('data/robust-own.json', JSON.stringify({ robust: { set: 'external', changes: [
    { change: 'all in capitals', paired: 60, first_accuracy: 0.9, second_accuracy: 0.85, difference: { value: -0.05, low: -0.1, high: 0 } },
  ] } }));
  await good('sweep', '--pool', 'pool.jsonl', '--vectors', 'pool.srv,tests.srv', '--seeds', '3', 'tests.jsonl', '-o', 'data/sweep-own.json');
  await good('profile', '--pool', 'pool.jsonl', '--tests', 'tests.jsonl', '--seeds', '3', 'pool.srv', 'tests.srv', '-o', 'data/profile-stand-in--own.json');
  // what make profile writes: the same of several models, and where their weights come from
  await good('profile', '--pool', 'pool.jsonl', '--tests', 'tests.jsonl', '--seeds', '3', '--one-in', '1', 'pool.srv', 'tests.srv', '-o', 'data/models-stand-in--own.json');
  f.write('data/source-models.json', JSON.stringify({ 'stand-in': 'package nowhere 1.0, a < b' }));
  await good('report', '--data', 'data', '--routes', 'routes.srr', '-o', 'out');

  const report = JSON.parse(readFileSync(join(f.path, 'out/report.json')));
  assert.deepEqual(report.configuration.routes.map((r) => r.utterances), [2, 2, 2]);
  const accuracy = (100 * report.eval.own.sets[0].accuracy.value).toFixed(1);
  assert.match(readFileSync(join(f.path, 'out/accuracy.md'), 'utf8'), new RegExp(`\\| own evaluation prompts \\| external \\|.*${accuracy} %`));
  assert.match(readFileSync(join(f.path, 'out/profile.md'), 'utf8'), /\| stand-in \| 64 \|/);
  assert.match(readFileSync(join(f.path, 'out/learn.md'), 'utf8'), /\| own evaluation prompts \| external \| 0 \| - \| - \| - \| 100\.0 \|/);
  assert.match(readFileSync(join(f.path, 'out/other-routes.md'), 'utf8'), new RegExp(`\\| smart home, no map \\| 3 \\| 60 \\| external \\| ${accuracy} %`));
  assert.match(readFileSync(join(f.path, 'out/robust.md'), 'utf8'), /\| all in capitals \| 90\.0 \| 85\.0 \| -5\.0 \(-10\.0 to \+0\.0\) \|/);
  assert.match(readFileSync(join(f.path, 'out/sweep.md'), 'utf8'), /\| 8 to 14 words \|/);
  assert.match(readFileSync(join(f.path, 'out/configuration.md'), 'utf8'), /\| beta \| 2 \| .* 0\.050, 0\.000 \|/);
  const head = (100 * report.models['stand-in--own'].embedders[0].routing.head.value).toFixed(1);
  assert.match(readFileSync(join(f.path, 'out/models.md'), 'utf8'), new RegExp(`own evaluation prompts \\(60\\), utterances drawn from 90 [^]*\\| stand-in \\|.* ${head} \\| - \\| - \\|`));
  assert.match(readFileSync(join(f.path, 'out/models-costs.md'), 'utf8'), /\| stand-in \| 64 \| - \| - \|[^]*\| stand-in \| package nowhere 1\.0/);
  assert.match(readFileSync(join(f.path, 'out/models-routes.md'), 'utf8'), /\| stand-in \| own evaluation prompts \| map, 64 \|/);
  // every row of a table has as many cells as its head
  for (const name of ['accuracy', 'routes', 'breakdown', 'other-routes', 'learn', 'robust', 'profile', 'models', 'models-costs', 'models-routes', 'configuration']) {
    const lines = readFileSync(join(f.path, `out/${name}.md`), 'utf8').trim().split('\n');
    let cells;
    for (const line of lines) {
      if (!line) cells = undefined;
      else assert.equal(line.split('|').length, (cells ??= line.split('|').length), `${name}.md: ${line}`);
    }
  }

  execFileSync(process.execPath, [script('render.js'), 'out/report.json', 'out/report.html'], { cwd: f.path });
  const page = readFileSync(join(f.path, 'out/report.html'), 'utf8');
  const figures = page.match(/<figure id="figure-\d+"/g).length;
  assert.ok(figures >= 8, `${figures} figures`);
  assert.equal(page.match(/role="img" aria-labelledby="figure-\d+-title" aria-describedby="figure-\d+-alt"/g).length, figures);
  assert.equal(page.match(/<summary>The numbers<\/summary>/g).length, figures);
  assert.ok(!/\b(src|href)="(?!#)/.test(page) && !/@import|url\((?!#)/.test(page), 'asks for nothing from anywhere');
  assert.ok(!/<script/.test(page), 'runs nothing, and shows prompts as text');
  assert.ok(!/NaN|undefined|\[object/.test(page));
});

test('report says what is missing', async (t) => {
  const f = folder(t);
  mkdirSync(join(f.path, 'empty'));
  const none = await run(f.path, ['report', '--data', 'empty', '-o', 'out']);
  assert.equal(none.status, 3);
  assert.match(none.stderr, /holds no eval-NAME.json/);
  const absent = await run(f.path, ['report', '--data', 'nowhere', '-o', 'out']);
  assert.match(absent.stderr, /cannot open the folder nowhere; make evaluate fills it/);
  f.write('empty/eval-x.json', '{"sets": [');
  const broken = await run(f.path, ['report', '--data', 'empty', '-o', 'out']);
  assert.equal(broken.status, 3);
  assert.match(broken.stderr, /empty\/eval-x.json: line 1/);
  assert.ok(!existsSync(join(f.path, 'out/report.json')));
});

test('readme writes tables into their marked places and nothing else', (t) => {
  const f = folder(t);
  mkdirSync(join(f.path, 'report'));
  f.write('report/profile.md', '| a |\n| --- |\n| 1 |\n');
  const text = (table) => `# Title\n\n<!-- evaluate:profile -->\n${table}<!-- /evaluate -->\n\nkeep $1 this\n\n<!-- evaluate:absent -->\nold\n<!-- /evaluate -->\n`;
  f.write('README.md', text('old\n'));
  const node = (...args) => spawnSync(process.execPath, [script('readme.js'), ...args], { cwd: f.path, encoding: 'utf8' });
  assert.equal(node('--check', 'README.md', 'report').status, 1);
  const written = node('README.md', 'report');
  assert.equal(written.status, 0);
  assert.match(written.stderr, /no report\/absent.md/);
  assert.equal(readFileSync(join(f.path, 'README.md'), 'utf8'), text('\n| a |\n| --- |\n| 1 |\n\n'));
  assert.equal(node('--check', 'README.md', 'report').status, 0);
});
