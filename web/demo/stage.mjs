// Puts the site together: node web/demo/stage.mjs [CONFIG]  →  build/site/, for any static host and subfolder.
//   index.html sw.js site.json      the page
//   demo/                           its modules, styles and languages
//   smartrouter.js … wasm/          the library
//   routes/ model/ report.html      what has been built
// The same input gives the same bytes: nothing here knows the time.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const config = process.argv[2] ?? 'release';
const site = join(root, process.argv[3] ?? 'build/site');
const from = (path) => join(root, path);
const LIBRARY_SKIP = ['cli.js', 'node.js', 'routes.js'];
const PAGE = ['index.html', 'sw.js', 'stage.mjs'];
const LARGEST_KEPT = 3e6; // larger files are the visitor's choice

function copy(path, to) {
  mkdirSync(dirname(join(site, to)), { recursive: true });
  cpSync(from(path), join(site, to), { recursive: true });
}
const list = (folder) => readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  .flatMap((entry) => (entry.isDirectory() ? list(join(folder, entry.name)) : [join(folder, entry.name)]));

rmSync(site, { recursive: true, force: true });
for (const name of readdirSync(from('web')).filter((n) => /\.js$/.test(n) && !LIBRARY_SKIP.includes(n))) copy(`web/${name}`, name);
for (const name of readdirSync(from('web/embedders')).filter((n) => /\.js$/.test(n))) copy(`web/embedders/${name}`, `embedders/${name}`);
for (const name of ['matcher', 'smartrouter'].flatMap((n) => ['scalar', 'simd128', 'relaxed'].map((v) => `${n}-${v}.wasm`)))
  copy(`build/${config}/wasm/${name}`, `wasm/${name}`);
for (const name of ['LICENSE', 'NOTICE.md']) copy(`web/${name}`, name);
for (const name of readdirSync(from('web/demo')).filter((n) => !PAGE.includes(n))) copy(`web/demo/${name}`, `demo/${name}`);

const use = {};
for (const [role, path, to] of [
  ['asset', 'build/routes/five-routes.srr', 'routes/five-routes.srr'],
  ['table', existsSync(from('build/routes/five-routes.srt')) ? 'build/routes/five-routes.srt' : 'routes/five-routes.srt', 'routes/five-routes.srt'],
  ['fit', existsSync(from('build/routes/five-routes.srf')) ? 'build/routes/five-routes.srf' : 'routes/five-routes.srf', 'routes/five-routes.srf'],
  ['routes', 'routes/five-routes.json', 'routes/five-routes.json'],
  ['model', 'build/model/smartrouter-model.srm', 'model/smartrouter-model.srm'],
  ['examples', 'web/demo/examples.json', 'demo/examples.json'],
  ['report', existsSync(from('build/report.html')) ? 'build/report.html' : 'build/report/report.html', 'report.html'],
]) {
  if (!existsSync(from(path))) continue;
  copy(path, to);
  use[role] = { path: to, bytes: statSync(from(path)).size };
}

// One request for what the first screen needs, instead of one for each link of the chain of imports.
const first = ['app', 'policy', 'dom', 'i18n', 'storage', 'session', 'try', 'map', 'words', 'restore'].map((n) => `demo/${n}.js`)
  .concat(['smartrouter.js', 'matcher.js', 'wasm.js', 'live.js', 'download.js', 'engine.js', 'learned-rows.js']);
for (const path of first) if (!existsSync(join(site, path))) throw new Error(`${path} is not there`);
const preload = first.map((path) => `<link rel="modulepreload" href="${path}">`)
  .concat(['site.json', 'demo/lang/en.json'].map((path) => `<link rel="preload" href="${path}" as="fetch" crossorigin>`));
const page = readFileSync(from('web/demo/index.html'), 'utf8').replace('<!-- site:preload -->', preload.join('\n'));
writeFileSync(join(site, 'index.html'), page);
writeFileSync(join(site, 'demo/index.html'), '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>SmartRouter</title>\n' +
  '<meta http-equiv="refresh" content="0; url=../">\n<p><a href="../">SmartRouter</a></p>\n');

const names = list(site).map((path) => relative(site, path));
const hash = createHash('sha256');
for (const name of names) hash.update(`${name}\n`).update(createHash('sha256').update(readFileSync(join(site, name))).digest());
hash.update(readFileSync(from('web/demo/sw.js')));
const id = hash.digest('hex').slice(0, 12);
const keep = names.filter((n) => !/^(index\.html|demo\/index\.html)$/.test(n) && statSync(join(site, n)).size <= LARGEST_KEPT);
const { version } = JSON.parse(readFileSync(from('web/package.json'), 'utf8'));
writeFileSync(join(site, 'site.json'), `${JSON.stringify({ version: `${version} (${id.slice(0, 7)})`, use, keep }, null, 1)}\n`);
writeFileSync(join(site, 'sw.js'), readFileSync(from('web/demo/sw.js'), 'utf8').replace("'dev'", `'${id}'`));
console.log(`${relative(root, site)}/: ${names.length + 2} files; ${Object.keys(use).join(', ')}`);
