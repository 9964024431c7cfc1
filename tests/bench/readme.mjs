// Puts build/NAME.md between its markers in README.md: node tests/bench/readme.mjs NAME
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const name = process.argv[2];
const [readme, table] = ['README.md', `build/${name}.md`].map((name) => readFileSync(new URL(name, root), 'utf8'));
const between = new RegExp(`(<!-- ${name}:begin -->\n)[^]*?(<!-- ${name}:end -->)`);
if (!between.test(readme)) throw new Error(`README.md has no <!-- ${name}:begin --> and <!-- ${name}:end -->`);
writeFileSync(new URL('README.md', root), readme.replace(between, (_, begin, end) => `${begin}\n${table.trim()}\n\n${end}`));
