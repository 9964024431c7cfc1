// Talks to work-worker.js, where everything heavy happens. One worker for Edit and for Bring your own.
class Workshop {
  constructor(page) {
    this.page = page;
    this.requests = new Map();
    this.ids = 0;
  }
  #start() {
    if (this.worker) return this.worker;
    this.worker = new Worker(new URL('./work-worker.js', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data: { id, progress, value, error } }) => {
      const request = this.requests.get(id);
      if (!request) return;
      if (progress) return request.onProgress?.(progress);
      this.requests.delete(id);
      if (error) request.reject(Object.assign(new Error(error.message), error));
      else request.resolve(value);
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.stop(Object.assign(new Error(event.message || 'the worker broke off'), { code: 'SR_WORKER' }));
    };
    return this.worker;
  }
  ask(type, data = {}, { onProgress, signal } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const id = ++this.ids;
      this.requests.set(id, { resolve, reject, onProgress });
      signal?.addEventListener('abort', () => {
        this.worker?.postMessage({ id, type: 'abort' });
        this.requests.delete(id);
        reject(signal.reason);
      }, { once: true });
      const { table, model, fit, asset } = this.page.urls;
      this.#start().postMessage({ id, type, urls: { table, model, fit, asset }, ...data });
    });
  }
  stop(error = new DOMException('stopped', 'AbortError')) {
    this.worker?.terminate();
    this.worker = null;
    for (const { reject } of this.requests.values()) reject(error);
    this.requests.clear();
  }
}
export const workshop = (page) => (page.workshop ??= new Workshop(page));
