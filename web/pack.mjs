// Puts built and written files together: node web/pack.mjs npm [CONFIG [FOLDER]]
//   FOLDER (build/pack)   smartrouter/ and smartrouter-model/, ready for `npm pack`
// The site is put together by web/demo/stage.mjs.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const [what, config = 'release', pack = 'build/pack'] = process.argv.slice(2);
const at = (path) => resolve(fileURLToPath(root), path);
const BUILDS = ['matcher', 'smartrouter'].flatMap((name) => ['scalar', 'simd128', 'relaxed'].map((v) => `${name}-${v}.wasm`));
const ROUTES = { asset: 'build/routes/five-routes.srr', table: 'build/routes/five-routes.srt' };
const MODEL = 'build/model/smartrouter-model.srm';

function copy(from, to) {
  mkdirSync(at(to.replace(/[^/]*$/, '')), { recursive: true });
  cpSync(at(from), at(to), { recursive: true });
}
const fresh = (folder) => rmSync(at(folder), { recursive: true, force: true });
const library = () => readdirSync(at('web')).filter((name) => /\.(js|d\.ts)$/.test(name));

function stageLibrary(folder) {
  for (const name of library()) copy(`web/${name}`, `${folder}/${name}`);
  copy('web/embedders', `${folder}/embedders`);
  for (const name of BUILDS) copy(`build/${config}/wasm/${name}`, `${folder}/wasm/${name}`);
  for (const name of ['LICENSE', 'NOTICE.md']) copy(`web/${name}`, `${folder}/${name}`);
}

function stageNpm() {
  const folder = `${pack}/smartrouter`, model = `${pack}/smartrouter-model`;
  fresh(folder);
  fresh(model);
  stageLibrary(folder);
  for (const name of ['package.json', 'README.md']) copy(`web/${name}`, `${folder}/${name}`);
  copy(ROUTES.asset, `${folder}/routes/five-routes.srr`);
  copy('routes/five-routes.json', `${folder}/routes/five-routes.json`);

  const { version, license } = JSON.parse(readFileSync(at('web/package.json')));
  copy(MODEL, `${model}/smartrouter-model.srm`);
  if (existsSync(at(ROUTES.table))) copy(ROUTES.table, `${model}/five-routes.srt`);
  for (const name of ['LICENSE', 'NOTICE.md']) copy(`web/${name}`, `${model}/${name}`);
  const write = (name, text) => writeFileSync(at(`${model}/${name}`), text);
  write('package.json', `${JSON.stringify({
    name: 'smartrouter-model', version, license, type: 'module', sideEffects: false,
    description: 'The encoder model for smartrouter: multilingual-e5-small, cut to European scripts and a few bits a weight.',
    exports: { '.': { types: './index.d.ts', default: './index.js' }, './*': './*' }, types: './index.d.ts',
    files: ['*.js', '*.d.ts', '*.srm', '*.srt', 'LICENSE', 'NOTICE.md', 'README.md'],
  }, null, 2)}\n`);
  write('index.js', `// URLs for SmartRouter.load({ asset, model, table }).
export const model = new URL('./smartrouter-model.srm', import.meta.url);
export const table = new URL('./five-routes.srt', import.meta.url);
export default model;
`);
  write('index.d.ts', 'export declare const model: URL;\n/** The piece table of the five routes that come with smartrouter. */\n' +
    'export declare const table: URL;\nexport default model;\n');
  write('README.md', '# smartrouter-model\n\nThe encoder model and piece table for smartrouter, ' +
    'which finds this package when it is installed.\n\n```js\nimport { model, table } from \'smartrouter-model\';\n' +
    'const router = await SmartRouter.load({ asset, model, table });\n```\n');
}

if (what === 'npm') stageNpm();
else throw new Error('node web/pack.mjs npm [CONFIG [FOLDER]]');
