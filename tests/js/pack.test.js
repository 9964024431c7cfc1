// The packages, as users get them: packed, installed in an empty folder, run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { root } from './setup.js';

describe('packages', () => {
  const folder = mkdtempSync(`${tmpdir()}/smartrouter-pack-`);
  const again = mkdtempSync(`${tmpdir()}/smartrouter-pack-again-`);
  const run = (program, args, cwd = folder) => execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  before(() => {
    const top = fileURLToPath(root);
    for (const to of [folder, again]) run(process.execPath, ['web/pack.mjs', process.env.SR_CONFIG ?? 'release', to], top);
    for (const to of [folder, again])
      run('npm', ['pack', '--silent', '--pack-destination', to, `${to}/smartrouter`, `${to}/smartrouter-model`, `${to}/smartrouter-model-general`], top);
    writeFileSync(`${folder}/package.json`, '{"private":true,"type":"module"}');
  });

  test('packed twice, in two folders, the bytes are the same; native files name no folder of this machine', () => {
    for (const name of ['smartrouter-0.1.0.tgz', 'smartrouter-model-0.1.0.tgz', 'native/bin/smartrouter', 'native/lib/libsmartrouter.a'])
      assert.ok(readFileSync(`${folder}/${name}`).equals(readFileSync(`${again}/${name}`)), name);
    for (const name of ['bin/smartrouter', 'lib/libsmartrouter.a'])
      assert.ok(!readFileSync(`${folder}/native/${name}`).includes(fileURLToPath(root).replace(/\/$/, '')), name);
  });

  test('each package says what is in it, under which licences, and what changed', () => {
    for (const name of ['smartrouter', 'smartrouter-model', 'smartrouter-model-general']) {
      const files = run('tar', ['tzf', `${folder}/${name}-0.1.0.tgz`]).split('\n');
      for (const file of ['LICENSE', 'NOTICE.md', 'CHANGELOG.md', 'sbom.cdx.json']) assert.ok(files.includes(`package/${file}`), `${name}: ${file}`);
    }
    const { bomFormat, metadata, components } = JSON.parse(readFileSync(`${folder}/sbom-with-tools.cdx.json`));
    assert.deepEqual([bomFormat, metadata.component.version], ['CycloneDX', '0.1.0']);
    const shipped = components.filter((c) => c.type !== 'library' && c.scope === 'required').map((c) => c.name);
    assert.deepEqual(shipped, ['multilingual-e5-small', 'XLM-RoBERTa vocabulary']);
    for (const c of components) assert.ok(c.licenses?.length, `${c.name}: no licence`);
    assert.match(readFileSync(`${folder}/native/CHANGELOG.md`, 'utf8'), /^## 0\.1\.0$/m);
  });

  test('the native program runs where it was unpacked, with its own files', () => {
    const brief = run(`${folder}/native/bin/smartrouter`, ['route', '--brief', 'Schreibe ein trauriges Gedicht über den Herbst'], tmpdir());
    assert.equal(brief, 'creative-writing\n');
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
