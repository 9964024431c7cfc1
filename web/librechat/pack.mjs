// make librechat: writes the folder to copy. Usage: node pack.mjs OUT WASM_DIR [ASSET_OR_TABLE_OR_MODEL ...]
//
// What a browser may keep for days lies in a folder named after its content, so that no page ever mixes two versions.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROLES = { '.srr': 'asset', '.srt': 'table', '.srm': 'model' };
const PLUGIN = ['main', 'auto', 'adapter', 'chip', 'config', 'conversations', 'decisions', 'log', 'menu', 'menu-click', 'policy', 'react', 'sender', 'store', 'styles', 'texts', 'view'];
const TOP = ['check.html', 'check.js', 'smartrouter.json'];
const INSTALL = ['preload.cjs', 'install.sh', 'nginx.conf', 'compose.yaml', 'librechat.yaml', 'README.md'];
const NOT_IN_PAGES = ['node.js', 'cli.js', 'compile.js'];

export function pack(out, wasm, assets) {
  const here = dirname(fileURLToPath(import.meta.url));
  const web = dirname(here);
  rmSync(out, { recursive: true, force: true });
  const files = new Map(); // name in the version folder -> bytes
  const add = (name, from) => files.set(name, readFileSync(from));
  for (const name of PLUGIN) add(`librechat/${name}.js`, join(here, `${name}.js`));
  for (const name of readdirSync(join(here, 'languages'))) add(`librechat/languages/${name}`, join(here, 'languages', name));
  for (const name of readdirSync(web)) if (name.endsWith('.js') && !NOT_IN_PAGES.includes(name)) add(name, join(web, name));
  for (const name of existsSync(join(web, 'embedders')) ? readdirSync(join(web, 'embedders')) : [])
    if (name.endsWith('.js')) add(`embedders/${name}`, join(web, 'embedders', name));
  for (const name of readdirSync(wasm)) if (/^(matcher|smartrouter)-\w+\.wasm$/.test(name)) add(`wasm/${name}`, join(wasm, name));
  for (const name of ['LICENSE', 'NOTICE.md']) if (existsSync(join(web, name))) add(name, join(web, name));
  const roles = {};
  for (const path of assets) {
    const role = ROLES[path.slice(path.lastIndexOf('.'))];
    if (!role || roles[role]) throw new Error(`pack: ${path} is no .srr, .srt or .srm, or there are two of a kind`);
    roles[role] = basename(path);
    add(roles[role], path);
  }
  const hash = createHash('sha256');
  for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${name} ${bytes.length}\n`).update(bytes);
  const version = hash.digest('hex').slice(0, 12);
  files.set('librechat/files.json', JSON.stringify({ version, ...roles }, null, 1) + '\n');

  const folder = join(out, 'smartrouter');
  for (const [name, bytes] of files) {
    const to = join(folder, version, name);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, bytes);
  }
  const plugin = readFileSync(join(here, 'plugin.js'), 'utf8').replace("FOLDER = ''", `FOLDER = '${version}/'`);
  if (!plugin.includes(version)) throw new Error('pack: plugin.js has no FOLDER');
  writeFileSync(join(folder, 'plugin.js'), plugin);
  for (const name of TOP) cpSync(join(here, name), join(folder, name));
  for (const name of INSTALL) {
    const to = join(out, name);
    writeFileSync(to, readFileSync(join(here, name), 'utf8').replaceAll('VERSION', version), { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
  }
  const bytes = [...files.values()].reduce((sum, part) => sum + part.length, 0);
  return { version, files: files.size, bytes, roles };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [out, wasm, ...assets] = process.argv.slice(2);
  const { version, files, bytes, roles } = pack(out, wasm, assets);
  const lacks = ['asset', 'table', 'model'].filter((role) => !roles[role]);
  console.log(`${out}: version ${version}, ${files} files, ${(bytes / 1e6).toFixed(1)} MB${lacks.length ? `; without ${lacks.join(', ')}` : ''}`);
}
