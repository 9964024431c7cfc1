// The encoder in a Web Worker or a worker thread: messages in, messages out; host.js does the work.
import { Host, pause } from './host.js';
import { Matcher } from './matcher.js';
import { Wasm, isNode } from './wasm.js';

const port = isNode ? (await import('node:worker_threads')).parentPort : globalThis;
let host;
const plain = (error) => ({ code: error.code, message: String(error.message), name: error.name });

const on = {
  async open({ module, asset }) {
    const wasm = await Wasm.open({ wasm: module });
    const emit = (message) => port.postMessage(wire(message), message.type === 'first' ? [message.bytes.buffer] : []);
    host = new Host(wasm, asset ? new Matcher(wasm, asset) : null, { emit, pause });
  },
  async load({ source, options }) {
    return host.load(typeof source === 'string' ? new URL(source) : source, options);
  },
  retry: () => host.retry(),
  abort: () => host?.abort(),
  route: ({ id, text, options }) => host.route(id, text, options),
  ping: () => {},
  drop: ({ which }) => host.drop(which),
  rows: ({ text }) => host.rows(text),
  vectors: ({ texts, layers }) => host.vectors(texts, layers),
  whitening: ({ layer }) => host.whitening(layer),
  learned: ({ exit, entries }) => host.setLearned(exit, entries),
};
const wire = (message) => (message.error ? { ...message, error: plain(message.error) } : message);

async function receive(message) {
  try {
    const value = await on[message.type](message);
    port.postMessage({ type: 'done', id: message.id, value });
  } catch (error) {
    // A trap leaves the instance in an unknown state: the page starts a new worker.
    if (error instanceof WebAssembly.RuntimeError) port.postMessage({ type: 'trap', error: plain(error) });
    else port.postMessage({ type: 'failed', id: message.id, error: plain(error) });
  }
}
if (isNode) port.on('message', receive);
else port.onmessage = ({ data }) => receive(data);
port.postMessage({ type: 'hello' });
