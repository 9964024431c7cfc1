// The packages, as users get them: packed, installed in an empty folder, run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { root } from './setup.js';

describe('packages', () => {
  const folder = mkdtempSync(`${tmpdir()}/smartrouter-pack-`);
  const run = (program, args, cwd = folder) => execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  before(() => {
    const top = fileURLToPath(root);
    run(process.execPath, ['web/pack.mjs', 'npm', process.env.SR_CONFIG ?? 'release', folder], top);
    run('npm', ['pack', '--silent', '--pack-destination', folder, `${folder}/smartrouter`, `${folder}/smartrouter-model`], top);
    writeFileSync(`${folder}/package.json`, '{"private":true,"type":"module"}');
  });

  test('code and routes stay under 300 KB', (t) => {
    const { size } = statSync(`${folder}/smartrouter-0.1.0.tgz`);
    t.diagnostic(`smartrouter-0.1.0.tgz: ${size} bytes; smartrouter-model-0.1.0.tgz: ${statSync(`${folder}/smartrouter-model-0.1.0.tgz`).size} bytes`);
    assert.ok(size < 300_000, `${size} bytes`);
  });

  test('without the model package the command says what to install', () => {
    run('npm', ['install', '--silent', '--offline', '--no-audit', './smartrouter-0.1.0.tgz']);
    assert.throws(() => run('npx', ['smartrouter', 'route', 'hello']), /npm install smartrouter-model/);
  });

  test('with it the command finds it, and so does a program', () => {
    run('npm', ['install', '--silent', '--offline', '--no-audit', './smartrouter-model-0.1.0.tgz']);
    const brief = run('npx', ['smartrouter', 'route', '--brief', 'Schreibe ein trauriges Gedicht über den Herbst']);
    assert.equal(brief, 'creative-writing\n');
    writeFileSync(`${folder}/program.js`, `
      import { SmartRouter } from 'smartrouter';
      import { fiveRoutes } from 'smartrouter/routes.js';
      import { model } from 'smartrouter-model';
      const router = await SmartRouter.load({ ...fiveRoutes, model });
      await router.load();
      console.log((await router.route('why does my pod keep restarting')).route);
      router.dispose();`);
    assert.equal(run(process.execPath, ['program.js']), 'deep-engineering\n');
  });
});
