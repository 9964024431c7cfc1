// The router that the page uses now. A new one (edited routes, another model) takes over only when it can answer, so that
// typing never meets a gap.
import { SmartRouter } from '../smartrouter.js';
import { dress } from './dom.js';
import { recall, remember } from './storage.js';

const FULL = 'model'; // remembered: this visitor asked for the download before

export class Session extends EventTarget {
  /** files: { asset, table, model } as URLs, each may be missing; sizes in bytes by the same names. */
  constructor(files, sizes) {
    super();
    Object.assign(this, { files, sizes, router: null, error: null, wanted: recall(FULL) === 'yes', turn: 0 });
    this.source = { asset: files.asset, table: files.table, model: files.model };
    this.edited = false;
  }

  get state() {
    return this.router?.state ?? null;
  }
  get modelBytes() {
    return this.router?.state.totalBytes || this.sizes.model || 0;
  }
  /** Another embedder than the built-in model answers. */
  get own() {
    return this.source.embedder ? this.source.name : null;
  }

  async start() {
    return this.#open();
  }

  async #open() {
    const turn = ++this.turn;
    this.abort = new AbortController();
    const { signal } = this.abort;
    const { asset, table, model, modelFile, embedder } = this.source;
    const options = embedder ? { asset, embedder } : { asset, table, model, autoload: this.wanted || !!modelFile };
    for (const name of ['table', 'model']) if (!options[name]) delete options[name];
    let router;
    try {
      router = await SmartRouter.load({ ...options, signal, onProgress: () => this.router === router && this.#tell() });
    } catch (error) {
      if (turn !== this.turn) return;
      this.error = error;
      this.#tell();
      throw error;
    }
    if (turn !== this.turn) return router.dispose();
    // Wait, shortly, for a model that is in the cache already, so that a change of routes does not make answers shallower.
    if (this.router && this.wanted && !embedder) await whole(router, 3000);
    if (turn !== this.turn) return router.dispose();
    const old = this.router;
    this.router = router;
    this.looks = dress(router.routes);
    this.error = null;
    this.dispatchEvent(new Event('router'));
    this.#tell();
    old?.dispose();
  }
  #tell() {
    this.dispatchEvent(new Event('state'));
  }

  /** The visitor asks for the model. */
  deepen() {
    this.wanted = true;
    remember(FULL, 'yes');
    if (!this.router) return;
    if (this.shallow) return void this.dispatchEvent(new Event('recompile'));
    this.router.load().catch(() => {}); // told by the state
    this.#tell();
  }
  cancel() {
    this.wanted = false;
    remember(FULL, null);
    this.abort?.abort();
    return this.#open();
  }
  retry() {
    if (this.error || !this.router) return this.#open();
    return this.router.state.retry().catch(() => {});
  }

  /** Other routes for the same embedder. shallow: they were compiled for the table alone, the model not being here. */
  useAsset(bytes, shallow = false) {
    const { files, source } = this;
    this.source = source.embedder || source.modelFile ? { ...source, asset: bytes } : { asset: bytes, table: source.table ?? files.table, model: shallow ? undefined : source.model ?? files.model };
    this.shallow = shallow;
    this.edited = true;
    return this.#open();
  }
  useEmbedder(asset, embedder, name, server) {
    this.source = { asset, embedder, name, server };
    this.shallow = false;
    this.edited = true;
    return this.#open();
  }
  /** A model from a file, with an asset that was compiled for it. */
  useModel(model, asset) {
    this.source = { asset, model, modelFile: model };
    this.shallow = false;
    this.edited = true;
    return this.#open();
  }
  reset() {
    this.shallow = false;
    this.source = { asset: this.files.asset, table: this.files.table, model: this.files.model };
    this.edited = false;
    return this.#open();
  }
}

function whole(router, ms) {
  return new Promise((resolve) => {
    const done = () => (router.removeEventListener('state', look), clearTimeout(timer), resolve());
    const look = () => /full|failed|idle/.test(router.state.state) && done();
    const timer = setTimeout(done, ms);
    router.addEventListener('state', look);
    look();
  });
}
