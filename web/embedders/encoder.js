// Our own encoder as an embedder: vectors without a route asset, for compiling and for uses of your own.
import { startHost } from '../client.js';
import { Wasm, absolute, fail, isBytes } from '../wasm.js';

export async function encoder(options) {
  if (options === null || typeof options !== 'object') throw new TypeError('encoder() wants an object of options');
  const { model, wasm: where, variant, worker = true, cache, integrity, signal, onProgress } = options;
  if (model === undefined) throw new TypeError('encoder() wants a model');
  const source = isBytes(model) ? model : absolute(model, 'model');
  signal?.throwIfAborted();
  const wasm = await Wasm.open({ wasm: where, variant, full: true });
  const emit = (message) => message.type === 'state' && onProgress?.(message.loadedBytes, message.totalBytes);
  const { host } = await startHost({ worker, wasm, emit });
  let info;
  try {
    info = await host.load(source, { cache, integrity, signal });
    const { layer = info.layers } = options;
    if (!Number.isInteger(layer) || layer < 0 || layer > info.layers)
      throw fail('SR_E_EXIT', `the model has the layers 0 to ${info.layers}, not ${layer}`);
    return embedder(host, info, layer);
  } catch (error) {
    host.dispose();
    throw error;
  }
}

function embedder(host, info, layer) {
  const checked = (texts) => {
    for (const text of texts) if (typeof text !== 'string') throw new TypeError('a text must be a string');
    return texts;
  };
  const exitsOfMany = async (texts, layers, { signal } = {}) => {
    signal?.throwIfAborted();
    return host.vectors(checked(texts), layers);
  };
  const many = async (texts, more) => (await exitsOfMany(texts, [layer], more)).map(([vector]) => vector);
  const embed = async (text, more) => (await many([text], more))[0];
  return Object.assign(embed, {
    modelId: info.id,
    modelContent: info.content,
    dimensions: info.dim,
    prefix: info.prefix,
    pooling: info.pooling,
    layers: info.layers,
    layer,
    many,
    exitsOfMany,
    exits: async (text, layers, more) => (await exitsOfMany([text], layers, more))[0],
    whitening: (at) => host.whitening(at),
    dispose: () => host.dispose(),
  });
}
