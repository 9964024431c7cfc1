#!/usr/bin/env node
// Puts the tables that `smartrouter report` wrote into marked places of a Markdown file:
//   <!-- evaluate:profile --> ... <!-- /evaluate -->   gets build/report/profile.md
// node readme.js [README.md [FOLDER]]; with --check it changes nothing and fails when something would change.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const check = process.argv.includes('--check');
const [file = 'README.md', folder = 'build/report'] = process.argv.slice(2).filter((a) => a !== '--check');
if (!existsSync(file)) {
  console.error(`readme: no ${file}; nothing written`);
  process.exit(check ? 1 : 0);
}
const before = readFileSync(file, 'utf8');
const missing = [];
const after = before.replace(/(<!-- evaluate:([\w-]+) -->\n)([\s\S]*?)(<!-- \/evaluate -->)/g, (all, open, name, old, close) => {
  const path = join(folder, `${name}.md`);
  if (!existsSync(path)) {
    missing.push(path);
    return all;
  }
  return `${open}\n${readFileSync(path, 'utf8').trim()}\n\n${close}`;
});
for (const path of missing) console.error(`readme: no ${path}; its place stays as it is`);
if (after === before) console.log(`${file}: up to date`);
else if (check) {
  console.error(`${file}: its tables are not those of ${folder}; run node web/report/readme.js`);
  process.exitCode = 1;
} else {
  writeFileSync(`${file}.part`, after);
  renameSync(`${file}.part`, file);
  console.log(`${file}: tables written`);
}
