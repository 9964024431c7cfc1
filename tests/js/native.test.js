// The native program and the npm package must agree: the same asset bytes, the same decisions.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { encoder } from '../../web/embedders/encoder.js';
import { SmartRouter } from '../../web/smartrouter.js';
import { out, root, variants, wasm } from './setup.js';
import { model, prompts, routes } from './text-setup.js';

const path = (url) => fileURLToPath(url);
const native = path(new URL('smartrouter', out));
const modelPath = path(new URL('build/model/smartrouter-model.srm', root));
const cli = path(new URL('web/cli.js', root));
const texts = [...Object.values(prompts), 'Schreibe mir ein Gedicht', '¿Qué ceno hoy?', 'a', '東京', 'x'.repeat(3000), '  spaced  out  '];
const SAME = 1e-5;

function compare(a, b) {
  for (const field of ['route', 'nearest', 'belowThreshold', 'uncertain', 'embedder', 'layer']) assert.equal(a[field], b[field], field);
  for (const field of ['score', 'margin', 'confidence']) assert.ok(Math.abs(a[field] - b[field]) <= SAME, `${field}: ${a[field]}, ${b[field]}`);
  assert.deepEqual(Object.keys(a.scores), Object.keys(b.scores));
  for (const route of Object.keys(a.scores)) assert.ok(Math.abs(a.scores[route] - b.scores[route]) <= SAME, route);
  assert.deepEqual(a.why.map((w) => [w.route, w.text]), b.why.map((w) => [w.route, w.text]));
}

describe('native program and package', () => {
  const folder = mkdtempSync(`${tmpdir()}/smartrouter-`);
  const source = `${folder}/routes.json`, asset = `${folder}/routes.srr`;
  before(() => {
    writeFileSync(source, JSON.stringify(routes));
    execFileSync(native, ['compile', source, '--output', asset, '--model', modelPath], { stdio: 'pipe' });
  });

  test('compile gives the same bytes', async () => {
    const expected = new Uint8Array(readFileSync(asset));
    for (const variant of variants) {
      const own = await encoder({ model, wasm, variant });
      assert.deepEqual(await SmartRouter.compile(routes, own, { wasm, variant }), expected);
      own.dispose();
    }
  });

  test('compile gives the same bytes with the general model, whose whitening maps tables without a fit', async () => {
    const generalPath = path(new URL('build/model/general-model.srm', root)), made = `${folder}/general.srr`;
    const file = { ...routes, embedder: { exits: [1] }, routes: routes.routes.map((r, i) => (i ? r : { ...r, negatives: ['not this'] })) };
    writeFileSync(`${folder}/general.json`, JSON.stringify(file));
    const native_ = (...args) => {
      execFileSync(native, ['compile', `${folder}/general.json`, '-o', made, '--model', generalPath, ...args], { stdio: 'pipe' });
      return new Uint8Array(readFileSync(made));
    };
    const [mapped, plain] = [native_(), native_('--no-map')];
    assert.notDeepEqual(mapped, plain);
    for (const variant of variants) {
      const own = await encoder({ model: new Uint8Array(readFileSync(generalPath)), wasm, variant });
      assert.deepEqual(await SmartRouter.compile(file, own, { wasm, variant }), mapped);
      assert.deepEqual(await SmartRouter.compile(file, own, { wasm, variant, map: false }), plain);
      assert.equal(await own.whitening(2), null);
      own.dispose();
    }
  });

  test('routes of one\'s own get the encoder as published, the five routes the one fitted to them', () => {
    const own = `${folder}/own.srr`, say = (...args) => execFileSync(native, args, { encoding: 'utf8', stdio: 'pipe' });
    const madeWith = (file) => JSON.parse(say('inspect', '--json', file)).asset.exits.find((exit) => exit.embedder === 'encoder').modelContent;
    const content = (name) => JSON.parse(say('inspect', '--json', path(new URL(`build/model/${name}.srm`, root)))).content;
    say('compile', source, '--output', own);
    assert.equal(madeWith(own), content('general-model'));
    assert.equal(madeWith(path(new URL('build/routes/five-routes.srr', root))), content('smartrouter-model'));
    assert.notEqual(content('general-model'), content('smartrouter-model'));
    const [name, text] = Object.entries(prompts)[0];
    assert.equal(say('route', '--brief', '--routes', own, text), `${name}\n`);
  });

  test('npx smartrouter route --json says what the native program says', async () => {
    const common = ['route', '--json', '--routes', asset, '--model', modelPath];
    const theirs = execFileSync(native, [...common, ...texts], { encoding: 'utf8' });
    for (const variant of variants) {
      const ours = execFileSync(process.execPath, [cli, ...common, '--variant', variant, '--wasm', path(wasm), ...texts], { encoding: 'utf8' });
      const [a, b] = [theirs, ours].map((s) => s.trim().split('\n').map((line) => JSON.parse(line)));
      assert.equal(b.length, texts.length);
      a.forEach((record, i) => (assert.equal(record.text, b[i].text), compare(record.decision, b[i].decision)));
    }
  });

  test('a line each on standard input, briefly', async () => {
    const child = execFile(process.execPath, [cli, 'route', '--brief', '--routes', asset, '--model', modelPath, '--wasm', path(wasm)]);
    let said = '';
    child.stdout.on('data', (data) => (said += data));
    child.stdin.end(`${Object.values(prompts).join('\n')}\n`);
    await new Promise((done) => child.on('close', done));
    assert.equal(said, `${Object.keys(prompts).join('\n')}\n`);
  });

  test('errors go to standard error, with a status', () => {
    const run = (...args) => {
      try {
        execFileSync(process.execPath, [cli, ...args], { stdio: 'pipe', cwd: folder });
      } catch (error) {
        return { status: error.status, said: String(error.stderr) };
      }
      throw new Error('it did not fail');
    };
    assert.deepEqual(run('rout').status, 2);
    assert.match(run('route', '--nonsense', 'x').said, /nonsense/);
    assert.match(run('route', '--routes', '/nowhere.srr', '--model', modelPath, '--wasm', path(wasm), 'x').said, /cannot read .*\(SR_FETCH\)/);
    assert.match(run('route', '--routes', asset, 'x').said, /smartrouter-model/);
  });
});
