// One part of the benchmark in this runtime: node run.mjs PLAN (a JSON line), or run(plan, ...) in a page. Records go out one by one.
import { encoding } from './encoding.mjs';
import { matching } from './matching.mjs';
import { published } from './published.mjs';
import { routing } from './routing.mjs';
import { scaling } from './scaling.mjs';
import { SmartRouter } from '../../web/smartrouter.js';

const parts = { matching, encoding, published, routing, scaling };
const ALL = ['relaxed', 'simd128', 'scalar'];

export async function run({ part, options, runtime, config }, { bytes, record, say, root }) {
  const variants = ALL.slice(ALL.indexOf(SmartRouter.bestVariant()));
  await parts[part]({ runtime, variants, wasm: new URL(`build/${config}/wasm/`, root), bytes, record, say }, options);
}

if (typeof process === 'object' && process.argv?.[2]) {
  const { readFile } = await import('node:fs/promises');
  const root = new URL('../../', import.meta.url);
  await run(JSON.parse(process.argv[2]), {
    root,
    bytes: async (path) => new Uint8Array(await readFile(path instanceof URL ? path : new URL(path, root))),
    record: (r) => process.stdout.write(`${JSON.stringify(r)}\n`),
    say: (text) => process.stderr.write(`${text}\n`),
  });
  process.exit(0);
}
