// Compiles routes and asks what they do to the example prompts, away from the page's thread. Vectors are kept by text, so that
// an edit costs what it changed. Requests to an embeddings server leave from here; the page itself may talk to its own site only.
import './policy.js';
import { SmartRouter } from '../smartrouter.js';
import { encoder } from '../embedders/encoder.js';
import { http } from '../embedders/http.js';

const MOST_KEPT = 200000;
const aborts = new Map();
const done = {};
const once = (name, make) => (done[name] ??= make().catch((error) => ((done[name] = null), Promise.reject(error))));

const bytesOf = (url) => once(url, async () => {
  const response = await fetch(url);
  if (!response.ok) throw Object.assign(new Error(`${url}: status ${response.status}`), { code: 'SR_FETCH' });
  return new Uint8Array(await response.arrayBuffer());
});

const vectors = new Map(); // by kind, layers and text
const keep = (key, value) => {
  if (vectors.size > MOST_KEPT) vectors.clear();
  vectors.set(key, value);
  return value;
};
async function cached(kind, texts, work) {
  const missing = [...new Set(texts.filter((text) => !vectors.has(`${kind}\n${text}`)))];
  if (missing.length) (await work(missing)).forEach((value, i) => keep(`${kind}\n${missing[i]}`, value));
  return texts.map((text) => vectors.get(`${kind}\n${text}`));
}

// ---- the three ways from text to vector

async function embedders(mode, { urls, server, model }, signal, onProgress) {
  if (mode === 'table') return null;
  if (mode === 'server') return serverEmbedder(server);
  const source = model ?? urls.model;
  const name = model ? `file ${model.byteLength} ${model.name ?? ''}` : source;
  const raw = await once(`encoder ${name}`, () =>
    encoder({ model: model ?? source, worker: false, onProgress: (got, total) => onProgress({ loading: total ? got / total : 0 }) }));
  const exitsOfMany = (texts, layers, more) => cached(`${raw.modelContent} ${layers}`, texts, (missing) => raw.exitsOfMany(missing, layers, more));
  const embed = async (text) => (await exitsOfMany([text], [raw.layers]))[0][0];
  const { modelId, modelContent, dimensions, prefix, pooling, layers, whitening } = raw;
  return Object.assign(embed, { modelId, modelContent, dimensions, prefix, pooling, layers, whitening, exitsOfMany });
}

let ownServer = null; // with its key, in memory only
function serverEmbedder(server) {
  const same = ownServer && ['url', 'model', 'key', 'prefix'].every((k) => ownServer.server[k] === server[k]);
  if (same) return ownServer.embed;
  const headers = () => (server.key ? { authorization: `Bearer ${server.key}` } : {});
  const raw = http({ url: server.url, model: server.model, prefix: server.prefix ?? '', headers, retries: 1, timeoutMs: 20000 });
  const kind = `server ${server.url} ${server.model} ${server.prefix}`;
  const many = (texts, more) => cached(kind, texts, (missing) => raw.many(missing, more));
  const embed = async (text, more) => (await many([text], more))[0];
  Object.defineProperties(embed, {
    modelId: { value: raw.modelId }, prefix: { value: raw.prefix }, dimensions: { get: () => raw.dimensions }, many: { value: many },
  });
  ownServer = { server, embed };
  return embed;
}

// ---- requests

async function compile({ file, mode, limit = Infinity, ...rest }, { signal, progress }) {
  const { urls } = rest;
  const started = performance.now();
  const embedder = await embedders(mode, rest, signal, progress);
  const texts = (file.routes ?? []).flatMap((r) => [...(r.utterances ?? []), ...(r.negatives ?? [])]);
  if (texts.length > limit) {
    const known = new Set([...vectors.keys()].map((key) => key.slice(key.indexOf('\n') + 1)));
    const needs = new Set(texts.filter((text) => !known.has(text))).size;
    if (needs > limit) return { needs };
  }
  const fit = mode === 'server' || rest.model || !urls.fit ? undefined : await bytesOf(urls.fit);
  const table = mode === 'server' || rest.model || !urls.table ? undefined : await bytesOf(urls.table);
  const options = { signal, onProgress: (n, total) => progress({ compiled: n / total }) };
  if (fit) options.fit = fit;
  if (table) options.table = table;
  const asset = await SmartRouter.compile(file, embedder, options);
  return { asset, ms: performance.now() - started };
}

/** The route of each prompt under this asset, by the deepest exit that the mode has. */
async function evaluate({ asset, prompts, mode, ...rest }, { signal, progress }) {
  const { urls } = rest;
  const bytes = typeof asset === 'string' ? await bytesOf(asset) : asset;
  if (mode === 'table') {
    const router = await SmartRouter.load({ asset: bytes.slice(), table: await bytesOf(urls.table) });
    try {
      return prompts.map((text) => router.preview(text).route);
    } finally {
      router.dispose();
    }
  }
  const embedder = await embedders(mode, rest, signal, progress);
  const router = await SmartRouter.load({ asset: bytes.slice() });
  try {
    const exit = router.exits.filter((e) => e.embedder === (mode === 'server' ? 'external' : 'encoder')).at(-1);
    if (!exit) throw Object.assign(new Error('this route asset was not made for this embedder'), { code: 'SR_E_MODEL' });
    const found = mode === 'server' ? await embedder.many(prompts, { signal })
      : (await embedder.exitsOfMany(prompts, exit.layers, { signal })).map(joined);
    return found.map((vector) => router.match(vector, exit.exit).route);
  } finally {
    router.dispose();
  }
}

/** An exit's vector may be several layers' vectors, one after the other. */
function joined(vectors) {
  const out = new Float32Array(vectors.reduce((n, v) => n + v.length, 0));
  vectors.reduce((at, v) => (out.set(v, at), at + v.length), 0);
  return out;
}

const jobs = {
  compile,
  evaluate,
  embed: async ({ text, server }, { signal }) => serverEmbedder(server)(text, { signal }),
  /** An asset's routes and texts as a route file. */
  async open({ asset }) {
    const router = await SmartRouter.load({ asset });
    try {
      const routes = router.routes.map(({ id, label, description, target }) => ({ id, label, description, target, utterances: [], negatives: [] }));
      const by = new Map(routes.map((r) => [r.id, r]));
      for (const { text, route, negative } of router.utterances()) by.get(route)[negative ? 'negatives' : 'utterances'].push(text);
      return { name: 'imported', fallback: router.fallback, routes };
    } finally {
      router.dispose();
    }
  },
};

onmessage = async ({ data: { id, type, ...rest } }) => {
  if (type === 'abort') return aborts.get(id)?.abort();
  const abort = new AbortController();
  aborts.set(id, abort);
  let told = 0;
  const progress = (value) => {
    const now = performance.now();
    if (now - told > 60) (told = now), postMessage({ id, progress: value });
  };
  try {
    postMessage({ id, value: await jobs[type](rest, { signal: abort.signal, progress }) });
  } catch (error) {
    postMessage({ id, error: { code: error.code ?? error.name, message: error.message } });
  } finally {
    aborts.delete(id);
  }
};
