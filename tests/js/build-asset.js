// A second writer of route assets, straight from src/ASSET.md and container.h, for tests: what C writes and what C reads
// must not merely agree with each other. Row mapping and quantisation are left to the caller or done here plainly.

const M = (1n << 64n) - 1n;
const P = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n];
const rotl = (v, n) => ((v << n) | (v >> (64n - n))) & M;
const mix = (acc, lane) => (rotl((acc + lane * P[1]) & M, 31n) * P[0]) & M;

export function xxh64(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0, h;
  if (bytes.length >= 32) {
    const v = [(P[0] + P[1]) & M, P[1], 0n, -P[0] & M];
    for (; bytes.length - at >= 32; at += 32)
      for (let i = 0; i < 4; i++) v[i] = mix(v[i], view.getBigUint64(at + 8 * i, true));
    h = (rotl(v[0], 1n) + rotl(v[1], 7n) + rotl(v[2], 12n) + rotl(v[3], 18n)) & M;
    for (const acc of v) h = ((h ^ mix(0n, acc)) * P[0] + P[3]) & M;
  } else h = P[4];
  h = (h + BigInt(bytes.length)) & M;
  for (; bytes.length - at >= 8; at += 8) h = (rotl(h ^ mix(0n, view.getBigUint64(at, true)), 27n) * P[0] + P[3]) & M;
  if (bytes.length - at >= 4) {
    h = (rotl(h ^ ((BigInt(view.getUint32(at, true)) * P[0]) & M), 23n) * P[1] + P[2]) & M;
    at += 4;
  }
  for (; at < bytes.length; at++) h = (rotl(h ^ ((BigInt(bytes[at]) * P[4]) & M), 11n) * P[0]) & M;
  h = ((h ^ (h >> 33n)) * P[1]) & M;
  h = ((h ^ (h >> 29n)) * P[2]) & M;
  return h ^ (h >> 32n);
}

/** sections: [{ kind, index, bytes }] in file order. */
export function container(magic, sections, version = 1) {
  const up = (n) => Math.ceil(n / 64) * 64;
  let end = 64 + 32 * sections.length;
  const offsets = sections.map(({ bytes }) => {
    const at = up(end);
    end = at + bytes.length;
    return at;
  });
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  sections.forEach(({ kind, index = 0, bytes }, i) => {
    file.set(bytes, offsets[i]);
    const at = 64 + 32 * i;
    view.setUint32(at, kind, true);
    view.setUint32(at + 4, index, true);
    view.setBigUint64(at + 8, BigInt(offsets[i]), true);
    view.setBigUint64(at + 16, BigInt(bytes.length), true);
    view.setBigUint64(at + 24, xxh64(bytes), true);
  });
  file.set(new TextEncoder().encode(magic));
  view.setUint32(4, version, true);
  view.setBigUint64(8, BigInt(end), true);
  view.setBigUint64(16, xxh64(file.subarray(64, 64 + 32 * sections.length)), true);
  view.setUint32(32, sections.length, true);
  view.setBigUint64(24, xxh64(Uint8Array.from([...file.subarray(0, 24), ...file.subarray(32, 64)])), true);
  return file;
}

/** routes: [{ id, label, utterances: [{ text, rows: [vector an exit], negative }], tau, margin }];
 * exits: [{ embedder, layer, dim, k, f32, flags, calibration, stop, model, content, plane }]. */
export function buildAsset({ routes, exits, fallback = 0, name = 'test', texts = true }) {
  const strings = [];
  let used = 0;
  const string = (text = '') => {
    const bytes = new TextEncoder().encode(text);
    strings.push(bytes);
    used += bytes.length;
    return [bytes.length ? used - bytes.length : 0, bytes.length];
  };
  const words = (bytes, fill) => {
    const out = new Uint8Array(bytes);
    fill(new DataView(out.buffer));
    return out;
  };
  const utterances = routes.flatMap((r, route) => (r.utterances ?? []).map((u) => ({ ...u, route })));
  const meta = words(64, (v) =>
    [routes.length, utterances.length, exits.length, fallback, texts ? 1 : 0, ...string(name)].forEach((n, i) => v.setUint32(4 * i, n, true)));
  let first = 0;
  const routeTable = words(64 * routes.length, (v) =>
    routes.forEach((r, i) => {
      const count = (r.utterances ?? []).length;
      const fields = [...string(r.id), ...string(r.label), ...string(r.description), ...string(r.target), first, count,
        (r.utterances ?? []).filter((u) => u.negative).length];
      fields.forEach((n, j) => v.setUint32(64 * i + 4 * j, n, true));
      first += count;
    }));
  const utteranceTable = words(16 * utterances.length, (v) =>
    utterances.forEach((u, i) =>
      [...string(texts ? u.text : ''), u.route, u.negative ? 1 : 0].forEach((n, j) => v.setUint32(16 * i + 4 * j, n, true))));
  const perExit = exits.flatMap((e, index) => {
    const exit = words(128, (v) => {
      [e.embedder ?? 2, e.layer ?? 0, e.dim, e.dim, (e.f32 ? 1 : 0) | (e.flags ?? 0), e.k ?? 1].forEach((n, i) => v.setUint32(4 * i, n, true));
      v.setFloat32(28, 1, true);
      (e.calibration ?? [0, 4, 2, 0]).forEach((n, i) => v.setFloat32(32 + 4 * i, n, true));
      v.setFloat32(48, e.stop ?? 0.9, true);
      [...string(e.model ?? 'test-embedder'), ...string(e.prefix)].forEach((n, i) => v.setUint32(52 + 4 * i, n, true));
      v.setBigUint64(72, e.content ?? 0n, true);
      v.setFloat32(80, e.negativeWeight ?? 0.5, true);
    });
    const params = words(16 * routes.length, (v) =>
      routes.forEach((r, i) => (v.setFloat32(16 * i, r.tau ?? 0.2, true), v.setFloat32(16 * i + 4, r.margin ?? 0, true))));
    const stride = e.f32 ? Math.ceil(e.dim / 16) * 64 : Math.ceil(e.dim / 64) * 64;
    const rows = new Uint8Array(stride * utterances.length);
    const scales = new Float32Array(utterances.length);
    utterances.forEach((u, i) => {
      const length = Math.hypot(...u.rows[index]);
      const row = u.rows[index].map((x) => x / length);
      if (e.f32) return new Float32Array(rows.buffer, i * stride, e.dim).set(row);
      const step = Math.max(...row.map(Math.abs)) / 127;
      const quantised = row.map((x) => Math.round(x / step));
      new Int8Array(rows.buffer, i * stride, e.dim).set(quantised);
      scales[i] = 1 / Math.hypot(...quantised); // the row as stored has length 1
    });
    const sections = [{ kind: 5, index, bytes: exit }, { kind: 6, index, bytes: params }, { kind: 7, index, bytes: rows }];
    if (!e.f32) sections.push({ kind: 8, index, bytes: new Uint8Array(scales.buffer) });
    if (e.plane) sections.push({ kind: 13, index, bytes: new Uint8Array(Float32Array.from(e.plane).buffer) });
    return sections;
  });
  const all = new Uint8Array(used);
  let at = 0;
  for (const bytes of strings) all.set(bytes, at), (at += bytes.length);
  return container('SRR1', [
    { kind: 1, bytes: meta }, { kind: 2, bytes: all }, { kind: 3, bytes: routeTable }, { kind: 4, bytes: utteranceTable }, ...perExit,
  ]);
}

/** A repeatable random number generator, 0..1. */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Five routes, a few utterances each around a direction of its own. */
export function sampleAsset({ dim = 48, exits, seed = 7, count = 6, ...rest } = {}) {
  const next = random(seed);
  const noise = () => Array.from({ length: dim }, () => next() * 2 - 1);
  const spaces = (exits ?? [{ dim }]).map((e) => ({ dim, ...e }));
  const centres = ['general', 'writing', 'code', 'science', 'tools'].map((id) => ({ id, at: spaces.map(noise) }));
  const routes = centres.map(({ id, at }, r) => ({
    id, label: `Route ${id}`, description: `About ${id}`, target: `spec-${id}`, tau: 0.1, margin: 0.01,
    utterances: Array.from({ length: count }, (_, i) => ({
      text: `${id} ${i} – ä`, rows: at.map((centre) => noise().map((x, d) => x * 0.8 + centre[d])), negative: r === 2 && i === count - 1,
    })),
  }));
  return { bytes: buildAsset({ routes, exits: spaces, ...rest }), centres, routes, dim, noise };
}
