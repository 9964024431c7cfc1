// Vector indices from npm, set up as their READMEs say, behind one interface: open({ dim, rows, vectors, limit }) gives
// { search(query, k) → indices, free() }. limit: seconds that building may take.
const at = (name) => new URL(`./node_modules/${name}`, import.meta.url);
const CHUNK = 200;

/** Stops early when even a steady pace would not do: graphs grow slower with size. */
async function chunks(rows, limit, add) {
  const start = performance.now();
  for (let from = 0; from < rows; from += CHUNK) {
    const to = Math.min(rows, from + CHUNK);
    add(from, to);
    const seconds = (performance.now() - start) / 1000;
    const least = (seconds / to) * rows;
    if (least > limit && seconds > Math.min(5, limit / 2)) throw new Error(`building ${rows} rows would take at least ${least.toFixed(0)} s, ${limit} s are allowed`);
    if (from % (CHUNK * 20) === 0) await new Promise((go) => setTimeout(go));
  }
}

export const peers = [
  {
    engine: 'voy-search', version: '0.6.3', settings: 'new Voy({ embeddings }), search(query, 5); k-d tree',
    async open({ dim, rows, vectors, bytes, limit }) {
      const glue = await import(at('voy-search/voy_search_bg.js').href);
      // its entry file imports the .wasm, as only bundlers can; this is what a bundler makes of it
      const { instance } = await WebAssembly.instantiate(await bytes(at('voy-search/voy_search_bg.wasm')), { './voy_search_bg.js': glue });
      glue.__wbg_set_wasm(instance.exports);
      const one = (i) => ({ id: String(i), title: '', url: '', embeddings: Array.from(vectors.subarray(i * dim, (i + 1) * dim)) });
      const index = new glue.Voy({ embeddings: [one(0)] });
      await chunks(rows, limit, (from, to) => index.add({ embeddings: Array.from({ length: to - from }, (_, i) => one(from + i)).filter((e) => e.id !== '0') }));
      return { search: (query, k) => index.search(query, k).neighbors.map((n) => Number(n.id)), free: () => index.free() };
    },
  },
  {
    engine: 'hnswlib-wasm', version: '0.8.2', settings: "HierarchicalNSW('cosine'), M 48, efConstruction 128, efSearch 32",
    async open({ dim, rows, vectors, limit }) {
      const quiet = console.error;
      console.error = () => {};
      let library;
      try {
        library = await (await import(at('hnswlib-wasm/dist/hnswlib.js').href)).loadHnswlib();
      } finally {
        console.error = quiet;
      }
      const index = new library.HierarchicalNSW('cosine', dim, '');
      index.initIndex(rows, 48, 128, 100);
      index.setEfSearch(32);
      await chunks(rows, limit, (from, to) => {
        for (let i = from; i < to; i++) index.addPoint(vectors.subarray(i * dim, (i + 1) * dim), i, false);
      });
      return { search: (query, k) => index.searchKnn(query, k, undefined).neighbors, free: () => index.delete?.() };
    },
  },
  ...['Hnsw', 'Flat'].map((type) => ({
    engine: `edgevec ${type === 'Hnsw' ? 'HNSW' : 'flat'}`, version: '0.9.0',
    // its metric 'cosine' gives the farthest first (0.9.0); on unit vectors the default has the same order
    settings: `EdgeVecConfig(dim), index ${type}, defaults (l2 on unit vectors)`,
    async open({ dim, rows, vectors, bytes, limit }) {
      const library = await import(at('edgevec/edgevec.js').href);
      await library.default({ module_or_path: await bytes(at('edgevec/edgevec_bg.wasm')) });
      const config = new library.EdgeVecConfig(dim);
      config.indexType = library.JsIndexType[type];
      const index = new library.EdgeVec(config);
      const ids = [];
      await chunks(rows, limit, (from, to) => {
        for (let i = from; i < to; i++) ids[index.insert(vectors.subarray(i * dim, (i + 1) * dim))] = i;
      });
      return { search: (query, k) => index.search(query, k).map((m) => ids[m.id]), free: () => index.free() };
    },
  })),
];

/** Native, through Node's addon interface. */
export const nativePeers = [
  ...[['HNSW f32', 'f32'], ['HNSW i8', 'i8']].map(([name, quantization]) => ({
    engine: `usearch ${name}`, version: '2.26.2',
    settings: `Index({ metric: 'cos', quantization: '${quantization}' }), other defaults, one thread`,
    async open({ dim, rows, vectors, limit }) {
      const { Index } = await import('usearch');
      const index = new Index({ metric: 'cos', dimensions: dim, quantization });
      await chunks(rows, limit, (from, to) =>
        index.add(BigUint64Array.from({ length: to - from }, (_, i) => BigInt(from + i)), vectors.subarray(from * dim, to * dim), 1));
      return { search: (query, k) => Array.from(index.search(query, k, 1).keys, Number), free() {} };
    },
  })),
  {
    engine: 'usearch exact f32', version: '2.26.2', settings: "exactSearch(rows, query, 5, metric 'cos'), one thread",
    async open({ dim, vectors }) {
      const { exactSearch, MetricKind } = await import('usearch');
      return { search: (query, k) => Array.from(exactSearch(vectors, query, dim, k, MetricKind.Cos, 1).keys, Number), free() {} };
    },
  },
];
