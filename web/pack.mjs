// Puts what was built together, ready to be archived: node web/pack.mjs [CONFIG [FOLDER]]
//   FOLDER (build/pack)   smartrouter/, smartrouter-model/ and smartrouter-model-general/   for `npm pack`
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
  stageNotices(folder);
}

// Two packages alike: the encoder fitted to the five routes, with their piece table, and the encoder as published.
function stageModel(folder, { name, file, description, table }) {
  const { version, license } = JSON.parse(readFileSync(at('web/package.json')));
  copy(`build/model/${file}`, `${folder}/${file}`);
  if (table) {
    copy(ROUTES.table, `${folder}/five-routes.srt`);
    for (const end of ['json', 'srf']) copy(`routes/five-routes.${end}`, `${folder}/five-routes.${end}`);
  }
  stageNotices(folder);
  write(`${folder}/package.json`, `${JSON.stringify({
    name, version, license, type: 'module', sideEffects: false, description,
    exports: { '.': { types: './index.d.ts', default: './index.js' }, './*': './*' }, types: './index.d.ts',
    files: ['*.js', '*.d.ts', '*.srm', '*.srt', '*.srf', 'five-routes.json', 'LICENSE', '*.md', 'sbom.cdx.json'],
  }, null, 2)}\n`);
  const line = (text) => (table ? text : '');
  write(`${folder}/index.js`, `// URLs for SmartRouter.load({ asset, model${line(', table')} }).
export const model = new URL('./${file}', import.meta.url);
${line("export const table = new URL('./five-routes.srt', import.meta.url);\n")}export default model;
`);
  write(`${folder}/index.d.ts`, `export declare const model: URL;
${line('/** The piece table of the five routes that come with smartrouter. */\nexport declare const table: URL;\n')}export default model;
`);
  write(`${folder}/README.md`, `# ${name}\n\n${description}\n\n\`\`\`js\nimport { model${line(', table')} } from '${name}';
const router = await SmartRouter.load({ asset, model${line(', table')} });\n\`\`\`\n`);
}
const MODELS = [
  { name: 'smartrouter-model', file: 'smartrouter-model.srm', table: true,
    description: 'The encoder of smartrouter\'s five routes, their piece table, and the route file with its fit; smartrouter finds this package when it is installed. ' +
      'multilingual-e5-small, cut to European scripts and a few bits a weight, its upper layers fitted to the routes.' },
  { name: 'smartrouter-model-general', file: 'general-model.srm', table: false,
    description: 'The encoder for routes of your own in smartrouter: multilingual-e5-small, cut to European scripts and a few bits a weight.' },
];

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
  for (const { file } of MODELS) copy(`build/model/${file}`, `${folder}/share/smartrouter/model/${file}`);
  copy('src/program/COMMANDS.md', `${folder}/COMMANDS.md`);
  stageNotices(folder);
}

const models = MODELS.map((model) => [model.name, (folder) => stageModel(folder, model)]);
for (const [name, stage] of [['smartrouter', stageLibrary], ...models, ['native', stageNative]]) {
  rmSync(at(`${pack}/${name}`), { recursive: true, force: true });
  stage(`${pack}/${name}`);
}
write(`${pack}/sbom-with-tools.cdx.json`, billOfMaterials(root, { tools: true }));
