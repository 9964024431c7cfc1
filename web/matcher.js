// A route asset in WebAssembly memory: vectors to decisions. Offsets as in src/wasm/exports.h.

const NAMES = { embedder: ['encoder', 'table', 'external'], pooling: ['mean', 'cls', 'max', 'none'] };
const XY = 36, MATCHES = 48, WHY = 2096, INFO = 2800;
export const WHY_COUNT = 5;

export class Matcher {
  constructor(wasm, bytes) {
    this.wasm = wasm;
    this.asset = wasm.put(bytes);
    this.bytes = bytes.length;
    this.query = 0;
    this.learned = new Map(); // exit to [{ id, text, route index }]
    this.texts = []; // of utterances that were reasons: decoding five took as long as the rest of a match
    try {
      this.session = wasm.check(wasm.x.router_open(this.asset, bytes.length), 'route asset');
      this.#describe();
      this.query = wasm.alloc(Math.max(0, ...this.exits.map((e) => e.dim)) * 4);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  get dead() {
    return !this.session;
  }

  #describe() {
    const { wasm, session } = this;
    const info = (session + INFO) >> 2;
    const count = wasm.x.router_route_count(session);
    const fallback = wasm.x.router_fallback(session);
    this.utteranceCount = wasm.x.router_utterance_count(session);
    this.routes = Array.from({ length: count }, (_, i) => {
      wasm.check(wasm.x.router_route(session, i));
      const [id, label, description, target] = [0, 8, 16, 24].map((at) => wasm.text(session + INFO + at));
      return { id, label: label || id, description, target, utterances: wasm.u32[info + 9], fallback: i === fallback };
    });
    this.exits = Array.from({ length: wasm.x.router_exit_count(session) }, (_, exit) => {
      wasm.check(wasm.x.router_exit(session, exit));
      const u = wasm.u32.slice(info, info + 20);
      const embedder = NAMES.embedder[u[0]];
      return {
        exit,
        embedder,
        layer: embedder === 'encoder' ? u[1] : -1,
        layers: [...Array(32).keys()].filter((l) => (u[19] >> l) & 1),
        dim: u[2],
        rowDim: u[3],
        rows: u[4] ? 'f32' : 'i8',
        hasMap: !!u[5],
        hasHead: !!u[6],
        hasPlane: !!u[7],
        aggregation: u[8],
        stopConfidence: wasm.f32[info + 10],
        model: wasm.text(session + INFO + 44),
        modelContent: wasm.hex64(session + INFO + 56),
        prefix: wasm.text(session + INFO + 64),
        pooling: NAMES.pooling[u[18]],
        thresholds: this.routes.map((_, route) => {
          wasm.check(wasm.x.router_thresholds(session, exit, route));
          return { tau: wasm.f32[info], margin: wasm.f32[info + 1] };
        }),
      };
    });
    this.fallback = this.routes[fallback].id;
    wasm.x.router_content(session);
    this.content = wasm.hex64(session + INFO + 56);
  }

  match(vector, exit, started = performance.now()) {
    const { wasm } = this;
    if (vector.length === this.exits[exit]?.dim) wasm.f32.set(vector, this.query >> 2);
    wasm.check(wasm.x.router_match(this.session, exit, this.query, vector.length, WHY_COUNT));
    return this.decision(started);
  }

  /** What the last match or pipeline answer wrote. */
  decision(started, embedder) {
    const { wasm, session } = this;
    const { u32, f32 } = wasm;
    const w = session >> 2, xy = w + (XY >> 2);
    const route = this.routes[u32[w]], exit = u32[w + 2], flags = u32[w + 3];
    const scores = new Array(u32[w + 7]), why = new Array(u32[w + 8]);
    for (let i = 0, at = (session + MATCHES) >> 2; i < scores.length; i++, at += 2)
      scores[i] = { route: this.routes[u32[at]].id, score: f32[at + 1] };
    for (let i = 0, at = (session + WHY) >> 2; i < why.length; i++, at += 3) {
      const utterance = u32[at];
      const learned = utterance >= this.utteranceCount && this.learned.get(exit)?.[utterance - this.utteranceCount];
      why[i] = { text: (learned || (this.texts[utterance] ??= this.utterance(utterance))).text, route: this.routes[u32[at + 1]].id, similarity: f32[at + 2] };
      if (learned) why[i].learned = learned.id;
    }
    const decision = {
      route: route.id,
      label: route.label,
      nearest: this.routes[u32[w + 1]].id,
      score: f32[w + 4],
      margin: f32[w + 5],
      confidence: f32[w + 6],
      uncertain: !!(flags & 4),
      belowThreshold: !!(flags & 1),
      belowMargin: !!(flags & 2),
      exit,
      layer: this.exits[exit].layer,
      embedder: embedder ?? this.exits[exit].embedder,
      scores,
      why,
      ms: performance.now() - started,
    };
    if (u32[xy + 2]) decision.xy = [f32[xy], f32[xy + 1]];
    return decision;
  }

  utterance(i) {
    const { wasm, session } = this;
    wasm.check(wasm.x.router_utterance(session, i));
    const at = (session + INFO) >> 2;
    return { text: wasm.text(session + INFO), route: this.routes[wasm.u32[at + 2]].id, negative: !!wasm.u32[at + 3] };
  }

  utterances(exit) {
    const { wasm, session } = this;
    return Array.from({ length: this.utteranceCount }, (_, i) => {
      const entry = this.utterance(i);
      if (exit !== undefined && this.exits[exit].hasPlane) {
        wasm.check(wasm.x.router_plane_utterance(session, exit, i));
        entry.xy = [...wasm.f32.subarray((session + XY) >> 2, ((session + XY) >> 2) + 2)];
      }
      return entry;
    });
  }

  dispose() {
    if (!this.asset) return;
    this.clear?.();
    if (this.session) this.wasm.x.router_close(this.session);
    this.wasm.free(this.asset);
    this.wasm.free(this.query);
    this.session = this.asset = 0;
  }
}
