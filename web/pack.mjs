// Puts what was built together, ready to be archived: node web/pack.mjs [CONFIG [FOLDER]]
//   FOLDER (build/pack)   smartrouter/ and smartrouter-model/   for `npm pack`
//                         native/                               bin, lib, include, share, for `tar`
//                         sbom-with-tools.cdx.json              the packages' bills of materials, and what built and tested them
// The site and the plugin are put together by web/demo/stage.mjs and web/librechat/pack.mjs. Nothing here knows the time.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials } from './sbom.mjs';

const root = new URL('../', import.meta.url);
const [config = 'release', pack = 'build/pack'] = process.argv.slice(2);
const at = (path) => resolve(fileURLToPath(root), path);
const BUILDS = ['matcher', 'smartrouter'].flatMap((name) => ['scalar', 'simd128', 'relaxed'].map((v) => `${name}-${v}.wasm`));
const ROUTES = { asset: 'build/routes/five-routes.srr', table: 'build/routes/five-routes.srt' };
const MODEL = 'build/model/smartrouter-model.srm';

function copy(from, to) {
  mkdirSync(at(to.replace(/[^/]*$/, '')), { recursive: true });
  cpSync(at(from), at(to), { recursive: true });
}
const write = (path, text) => writeFileSync(at(path), text);
const library = () => readdirSync(at('web')).filter((name) => /\.(js|d\.ts)$/.test(name));

function stageNotices(folder) {
  for (const name of ['LICENSE', 'NOTICE.md', 'CHANGELOG.md']) copy(`web/${name}`, `${folder}/${name}`);
  write(`${folder}/sbom.cdx.json`, billOfMaterials(root));
}

function stageLibrary(folder) {
  for (const name of library()) copy(`web/${name}`, `${folder}/${name}`);
  copy('web/embedders', `${folder}/embedders`);
  for (const name of BUILDS) copy(`build/${config}/wasm/${name}`, `${folder}/wasm/${name}`);
  for (const name of ['package.json', 'README.md']) copy(`web/${name}`, `${folder}/${name}`);
  copy(ROUTES.asset, `${folder}/routes/five-routes.srr`);
  copy('routes/five-routes.json', `${folder}/routes/five-routes.json`);
  stageNotices(folder);
}

function stageModel(folder) {
  const { version, license } = JSON.parse(readFileSync(at('web/package.json')));
  copy(MODEL, `${folder}/smartrouter-model.srm`);
  if (existsSync(at(ROUTES.table))) copy(ROUTES.table, `${folder}/five-routes.srt`);
  stageNotices(folder);
  write(`${folder}/package.json`, `${JSON.stringify({
    name: 'smartrouter-model', version, license, type: 'module', sideEffects: false,
    description: 'The encoder model for smartrouter: multilingual-e5-small, cut to European scripts and a few bits a weight.',
    exports: { '.': { types: './index.d.ts', default: './index.js' }, './*': './*' }, types: './index.d.ts',
    files: ['*.js', '*.d.ts', '*.srm', '*.srt', 'LICENSE', '*.md', 'sbom.cdx.json'],
  }, null, 2)}\n`);
  write(`${folder}/index.js`, `// URLs for SmartRouter.load({ asset, model, table }).
export const model = new URL('./smartrouter-model.srm', import.meta.url);
export const table = new URL('./five-routes.srt', import.meta.url);
export default model;
`);
  write(`${folder}/index.d.ts`, 'export declare const model: URL;\n/** The piece table of the five routes that come with smartrouter. */\n' +
    'export declare const table: URL;\nexport default model;\n');
  write(`${folder}/README.md`, '# smartrouter-model\n\nThe encoder model and piece table for smartrouter, ' +
    'which finds this package when it is installed.\n\n```js\nimport { model, table } from \'smartrouter-model\';\n' +
    'const router = await SmartRouter.load({ asset, model, table });\n```\n');
}

// The program finds its files in share/ beside bin/, wherever the folder is put.
function stageNative(folder) {
  copy(`build/${config}/smartrouter`, `${folder}/bin/smartrouter`);
  copy(`build/${config}/libsmartrouter.a`, `${folder}/lib/libsmartrouter.a`);
  execFileSync('strip', [at(`${folder}/bin/smartrouter`)]);
  execFileSync('strip', ['--strip-debug', '--enable-deterministic-archives', at(`${folder}/lib/libsmartrouter.a`)]);
  copy('src/smartrouter.h', `${folder}/include/smartrouter.h`);
  copy(ROUTES.asset, `${folder}/share/smartrouter/routes/five-routes.srr`);
  copy('routes/five-routes.json', `${folder}/share/smartrouter/routes/five-routes.json`);
  if (existsSync(at(ROUTES.table))) copy(ROUTES.table, `${folder}/share/smartrouter/routes/five-routes.srt`);
  copy(MODEL, `${folder}/share/smartrouter/model/smartrouter-model.srm`);
  copy('src/program/COMMANDS.md', `${folder}/COMMANDS.md`);
  stageNotices(folder);
}

for (const [name, stage] of [['smartrouter', stageLibrary], ['smartrouter-model', stageModel], ['native', stageNative]]) {
  rmSync(at(`${pack}/${name}`), { recursive: true, force: true });
  stage(`${pack}/${name}`);
}
write(`${pack}/sbom-with-tools.cdx.json`, billOfMaterials(root, { tools: true }));
