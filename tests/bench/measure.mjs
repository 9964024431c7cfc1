// Timing, the same in Node and in a page. Contenders take turns (A B A B), so that what else the machine does meets all of them.

export const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.round(q * (sorted.length - 1)))];

export function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return { p50_us: round(quantile(sorted, 0.5)), p95_us: round(quantile(sorted, 0.95)), best_us: round(sorted[0]), samples: sorted.length };
}
export const round = (v) => Number(v.toPrecision(4));

/** contenders: [{ run, ... }]; run may be async. Rounds go on until `ms` a contender is used up, at least `least` of them. A sample
 * repeats the work until it lasts for leastMs. Gives each contender's samples, in microseconds a run. */
export async function takeTurns(contenders, { ms = 400, least = 7, most = 200, leastMs = 2 } = {}) {
  const states = [];
  for (const { run } of contenders) {
    const sync = !(run() instanceof Promise);
    const time = async (n) => {
      const start = performance.now();
      if (sync) for (let i = 0; i < n; i++) run();
      else for (let i = 0; i < n; i++) await run();
      return performance.now() - start;
    };
    // Enough calls for the optimising compilers to have seen the code, then as many as a sample needs.
    let repeat = 1;
    for (let spent = 0; ; ) {
      const took = await time(repeat);
      spent += took;
      if (took < leastMs) repeat = Math.ceil(repeat * Math.min(10, (1.3 * leastMs) / Math.max(took, 0.02)));
      else if (spent > Math.min(ms / 4, 50)) break;
    }
    states.push({ time, repeat, samples: [], spent: 0 });
  }
  for (let round = 0; round < most; round++) {
    let going = false;
    for (const s of states) {
      if (round >= least && s.spent >= ms) continue;
      const took = await s.time(s.repeat);
      s.samples.push((took / s.repeat) * 1000);
      s.spent += took;
      going = true;
    }
    if (!going) break;
    if (round % 8 === 7) await new Promise((go) => setTimeout(go));
  }
  return states.map((s) => s.samples);
}

/** Why something cannot be measured, as a record says it. */
export const reason = (error) => String(error?.message ?? error).split('\n')[0].replace(/ \(did you .*/, '').slice(0, 160);
