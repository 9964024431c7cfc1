// What growth costs in WebAssembly: utterances by dimensions, and the memory that they take.
import { reason, summary, takeTurns } from './measure.mjs';
import { Matcher } from '../../web/matcher.js';
import { Wasm } from '../../web/wasm.js';

export async function scaling(env, { sizes, ms }) {
  const variant = env.variants[0];
  for (const [rows, dim] of sizes) {
    const head = { bench: 'utterances', engine: 'smartrouter', runtime: env.runtime, variant, rows, dim, settings: 'int8 rows' };
    env.say(`utterances ${rows}x${dim}`);
    try {
      const wasm = await Wasm.open({ wasm: env.wasm, variant, full: false });
      const start = performance.now();
      const matcher = new Matcher(wasm, await env.bytes(`build/bench/${rows}x${dim}.srr`));
      const load_ms = Math.round(performance.now() - start);
      const query = new Float32Array((await env.bytes(`build/bench/${rows}x${dim}.queries`)).slice(0, dim * 4).buffer);
      const at = wasm.alloc(dim * 4);
      wasm.f32.set(query, at >> 2);
      const [samples] = await takeTurns([{ run: () => wasm.x.router_match(matcher.session, 0, at, dim, 5) }], { ms, least: 5 });
      env.record({ ...head, load_ms, bytes: wasm.x.memory.buffer.byteLength, ...summary(samples) });
    } catch (error) {
      env.record({ ...head, skipped: reason(error) });
    }
  }
}
