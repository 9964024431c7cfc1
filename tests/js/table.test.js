// From a corpus to a piece table, its exit in the fit, an asset with it, and routing with the table alone.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { SmartRouter } from '../../web/smartrouter.js';
import { out, root, variants, wasm } from './setup.js';

const path = (url) => fileURLToPath(url);
const native = path(new URL('smartrouter', out));
const model = path(new URL('build/model/smartrouter-model.srm', root));

const corpus = {
  kitchen: {
    en: ['how long do I boil an egg', 'a soup with leeks and potatoes', 'my dough does not rise', 'what goes with roast lamb', 'bake bread without yeast', 'season the soup with pepper'],
    de: ['wie lange kocht ein Ei', 'Suppe mit Lauch und Kartoffeln', 'mein Teig geht nicht auf', 'was passt zu Lammbraten', 'Brot ohne Hefe backen', 'die Suppe mit Pfeffer würzen'],
  },
  garden: {
    en: ['when do I prune roses', 'slugs eat my lettuce', 'moss in the lawn', 'which hedge grows fast', 'plant tomatoes outside', 'water the roses in summer'],
    de: ['wann schneide ich Rosen', 'Schnecken fressen meinen Salat', 'Moos im Rasen', 'welche Hecke wächst schnell', 'Tomaten ins Freie pflanzen', 'Rosen im Sommer gießen'],
  },
};

describe('smartrouter table', () => {
  const folder = mkdtempSync(`${tmpdir()}/smartrouter-`);
  const routes = `${folder}/home.json`, table = `${folder}/home.srt`, asset = `${folder}/home.srr`;
  const train = (to) =>
    execFileSync(native, ['table', '--routes', routes, '--corpus', `${folder}/corpus`, '--model', model, '--pieces', '3000', '-o', to], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  let report;
  before(() => {
    for (const [route, languages] of Object.entries(corpus)) {
      mkdirSync(`${folder}/corpus/${route}`, { recursive: true });
      for (const [language, texts] of Object.entries(languages))
        writeFileSync(`${folder}/corpus/${route}/${language}.jsonl`, texts.map((text) => JSON.stringify({ text })).join('\n'));
    }
    const list = Object.entries(corpus).map(([id, languages]) => ({ id, label: id, utterances: [...languages.en.slice(0, 3), ...languages.de.slice(0, 3)] }));
    writeFileSync(routes, JSON.stringify({ name: 'Home', fallback: 'kitchen', fit: 'home.srf', routes: list }));
    report = train(table);
    execFileSync(native, ['compile', routes, '--table', table, '--model', model, '-o', asset], { stdio: 'pipe' });
  });
  after(() => rmSync(folder, { recursive: true }));

  test('reports what was left out, by language and by prompt', () => {
    assert.match(report, /our corpus, languages left out \| 24 /);
    assert.match(report, /our corpus, prompts left out \| \d+ /);
  });

  test('the same corpus makes the same bytes', () => {
    const [first, fit] = [table, `${folder}/home.srf`].map((file) => readFileSync(file));
    train(table);
    assert.deepEqual(readFileSync(table), first);
    assert.deepEqual(readFileSync(`${folder}/home.srf`), fit);
  });

  test('routes by the table alone, natively and in WebAssembly alike', async () => {
    const prompts = ['the soup boils', 'roses and tomatoes', 'Kartoffeln kochen', 'Rasen im Sommer', ''];
    const run = (...more) => execFileSync(native, ['route', '--routes', asset, '--table', table, '--exit', 'table', ...more, ...prompts], { encoding: 'utf8' });
    const brief = run('--brief').trim().split('\n');
    assert.deepEqual(brief.slice(0, 4), ['kitchen', 'garden', 'kitchen', 'garden']);
    const decisions = run('--json').trim().split('\n').map((line) => JSON.parse(line).decision);
    assert.ok(decisions.slice(0, 4).every((d) => d.embedder === 'table' && d.why.length));
    for (const variant of variants) {
      const router = await SmartRouter.load({ asset: readFileSync(asset), table: readFileSync(table), wasm, variant, worker: false });
      prompts.forEach((prompt, i) => assert.equal(router.preview(prompt).route, brief[i], prompt));
      router.dispose();
    }
  });

  test('a fit that was made for another table is refused', () => {
    const other = `${folder}/other.srt`;
    execFileSync(native, ['table', '--routes', routes, '--corpus', `${folder}/corpus`, '--model', model, '--pieces', '2000', '--no-judge', '-o', other], { stdio: 'pipe' });
    assert.ok(existsSync(other));
    const { status, stderr } = spawnSync(native, ['compile', routes, '--table', other, '--model', model, '-o', `${folder}/x.srr`], { encoding: 'utf8' });
    assert.equal(status, 3);
    assert.match(stderr, /another piece table/);
  });

  test('wrong use is told', () => {
    for (const [extra, said] of [[['--dim', '9'], /multiple of 8/], [['--pieces', 'x'], /wants a number from 256/], [['prompt'], /no plain arguments/]]) {
      const { status, stderr } = spawnSync(native, ['table', '--routes', routes, ...extra], { encoding: 'utf8' });
      assert.equal(status, 2);
      assert.match(stderr, said);
    }
  });
});
