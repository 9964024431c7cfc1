// Learned utterances in a matcher's memory, and the answer to a prompt that asks for nothing: only what reads text needs them.

const LEARNED = 2288; // src/wasm/exports.h

/** A vector in the exit's own space. */
export function project(matcher, vector, exit) {
  const { wasm } = matcher;
  const { dim, rowDim } = matcher.exits[exit];
  const at = wasm.alloc((dim + rowDim) * 4);
  try {
    wasm.f32.set(vector, at >> 2);
    wasm.check(wasm.x.router_project(matcher.session, exit, at, vector.length, at + dim * 4));
    return wasm.f32.slice((at >> 2) + dim, (at >> 2) + dim + rowDim);
  } finally {
    wasm.free(at);
  }
}

/** All learned utterances of an exit at once: [{ id, text, route index, weight, row }]. */
export function setLearned(matcher, exit, entries) {
  const { wasm } = matcher;
  const { rowDim } = matcher.exits[exit];
  const n = entries.length;
  const slot = (matcher.session + LEARNED + 16 * exit) >> 2;
  const at = n && wasm.alloc(n * (rowDim + 2) * 4);
  wasm.free(wasm.u32[slot + 1]);
  const routes = at + n * rowDim * 4, weights = routes + n * 4;
  entries.forEach((entry, i) => {
    wasm.f32.set(entry.row, (at >> 2) + i * rowDim);
    wasm.u32[(routes >> 2) + i] = entry.route;
    wasm.u32[(weights >> 2) + i] = entry.weight;
  });
  wasm.u32.set([n, at, routes, weights], slot);
  matcher.learned.set(exit, entries.map(({ id, text }) => ({ id, text })));
  matcher.clear = () => {
    for (const exit of matcher.learned.keys()) setLearned(matcher, exit, []);
  };
}

/** The fallback's; the pipeline in C has the same. */
export function blankDecision(matcher, exit) {
  const { id, label } = matcher.routes.find((r) => r.fallback);
  const { layer, embedder } = matcher.exits[exit];
  const ids = [id, ...matcher.routes.map((r) => r.id).filter((other) => other !== id)];
  return {
    route: id, label, nearest: id, score: 0, margin: 0, confidence: 0,
    uncertain: false, belowThreshold: true, belowMargin: false,
    exit, layer, embedder, scores: ids.map((route) => ({ route, score: 0 })), why: [], ms: 0,
  };
}
