// Puts build/bench.md between the markers of README.md: node tests/bench/readme.mjs
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const [readme, table] = ['README.md', 'build/bench.md'].map((name) => readFileSync(new URL(name, root), 'utf8'));
const between = /(<!-- bench:begin -->\n)[^]*?(<!-- bench:end -->)/;
if (!between.test(readme)) throw new Error('README.md has no <!-- bench:begin --> and <!-- bench:end -->');
writeFileSync(new URL('README.md', root), readme.replace(between, (_, begin, end) => `${begin}\n${table.trim()}\n\n${end}`));
