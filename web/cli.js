#!/usr/bin/env node
// npx smartrouter route "…": the same decisions, and the same JSON, as the native program's `smartrouter route`.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { fiveRoutes } from './routes.js';
import { SmartRouter } from './smartrouter.js';

const HELP = `smartrouter route: say which route should answer each prompt

  smartrouter route [options] [PROMPT ...]   (or prompts on standard input, a line each)

  --routes FILE|URL   route asset (.srr); default: the five routes in this package
  --table FILE|URL    piece table (.srt); default: the one in smartrouter-model, for the five routes
  --model FILE|URL    encoder model (.srm); default: the package smartrouter-model, when it is installed
  --json              answer each prompt as a JSON object, a line each
  --brief             print the route's id alone
  --why N             how many of the nearest utterances to show (default 3; 0 to 5)
  --variant NAME      scalar, simd128 or relaxed; default: the best that runs here
  --wasm DIR          where the WebAssembly lies; default: in this package
  --version, --help

  npx smartrouter route 'Schreibe ein trauriges Gedicht über den Herbst'
`;

const OPTIONS = Object.fromEntries([
  ...['routes', 'table', 'model', 'why', 'variant', 'wasm'].map((name) => [name, { type: 'string' }]),
  ...['json', 'brief', 'version', 'help'].map((name) => [name, { type: 'boolean', default: false }]),
]);

/** A file of the model package, which lies beside this one or in the working directory's project. */
function installed(file) {
  for (const from of [import.meta.url, pathToFileURL(`${process.cwd()}/x`)])
    try {
      const folder = createRequire(from).resolve('smartrouter-model/package.json');
      const url = new URL(file, pathToFileURL(folder));
      if (existsSync(url)) return url;
    } catch {
      // not there
    }
  return undefined;
}

/** As the native program prints an f32: the shortest decimal that reads back as the same. */
function short(value) {
  for (let digits = 1; digits < 17; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return text;
  }
  return value;
}
const oneLine = (text, most) => {
  const shown = [...text].slice(0, most).join('').replace(/[\u0000-\u001f\u007f]/g, ' ');
  return shown.length < text.length ? `${shown}…` : shown;
};

function asJson(text, d, why) {
  return JSON.stringify({
    text,
    decision: {
      route: d.route,
      score: short(d.score),
      margin: short(d.margin),
      confidence: short(d.confidence),
      nearest: d.nearest,
      belowThreshold: d.belowThreshold,
      uncertain: d.uncertain || d.belowMargin,
      embedder: d.embedder,
      ...(d.embedder === 'encoder' && { layer: d.layer }),
      scores: Object.fromEntries(d.scores.map(({ route, score }) => [route, short(score)])),
      why: d.why.slice(0, why).map((w) => ({ route: w.route, similarity: short(w.similarity), text: w.text })),
    },
  });
}
function asText(text, d, why) {
  const percent = `${Math.round(d.confidence * 100)}`.padStart(3);
  const reasons = d.why.slice(0, why).map((w) =>
    `\n    ${w.similarity.toFixed(2).padStart(5)}  ${w.route.padEnd(17)} ${oneLine(w.text, 120)}`);
  return `${d.route.padEnd(18)} ${percent} %  ${oneLine(text, 200)}${reasons.join('')}`;
}

async function main() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.version) {
    const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url)));
    return void console.log(version);
  }
  const [command, ...prompts] = positionals;
  if (values.help || !command) return void console.log(HELP);
  if (command !== 'route') throw usage(`unknown command: ${command}`);
  const why = Number(values.why ?? 3);
  if (!(Number.isInteger(why) && why >= 0 && why <= 5)) throw usage('--why must be 0 to 5');

  const model = values.model ?? installed('smartrouter-model.srm');
  const table = values.table ?? (values.routes ? undefined : installed('five-routes.srt'));
  if (!model && !table) throw new Error('no encoder: npm install smartrouter-model, or give --model FILE or URL');
  if (!model) console.error('smartrouter: smartrouter-model is not installed; the piece table answers alone, less well');
  const folder = values.wasm && pathToFileURL(`${values.wasm}/`);
  const router = await SmartRouter.load({
    asset: values.routes ?? fiveRoutes.asset, model, table, variant: values.variant, wasm: folder, worker: false,
  });
  try {
    if (model) await router.load();
    const show = values.json ? asJson : values.brief ? (_, d) => d.route : asText;
    const answer = async (text) => console.log(show(text, await router.route(text, { keep: true }), why));
    if (prompts.length) for (const text of prompts) await answer(text);
    else for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) await answer(line);
  } finally {
    router.dispose();
  }
}
const usage = (message) => Object.assign(new Error(`${message}\n\n${HELP}`), { status: 2 });

main().catch((error) => {
  const bad = error.code?.startsWith?.('ERR_PARSE_ARGS') ? usage(error.message) : error;
  console.error(`smartrouter: ${bad.message}${bad.code ? ` (${bad.code})` : ''}`);
  process.exitCode = bad.status ?? 1;
});
