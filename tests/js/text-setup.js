// A small route file, compiled with the model that make built, and a server that can misbehave: for the tests that read text.
import { createServer } from 'node:http';
import { SmartRouter } from '../../web/smartrouter.js';
import { encoder } from '../../web/embedders/encoder.js';
import { read, variants, wasm } from './setup.js';

export const model = read('build/model/smartrouter-model.srm');
export const totalBytes = model.length;

/** Ends of the sections that the model needs (optional ones have the top bit set): where its parts are whole. */
export const sectionEnds = (() => {
  const view = new DataView(model.buffer, model.byteOffset);
  return Array.from({ length: view.getUint32(32, true) }, (_, i) => 64 + 32 * i)
    .filter((at) => view.getUint32(at, true) < 0x80000000)
    .map((at) => Number(view.getBigUint64(at + 8, true) + view.getBigUint64(at + 16, true)));
})();

export const routes = {
  name: 'small', fallback: 'chat', aggregation: 'max', low_margin: 'uncertain',
  routes: [
    { id: 'chat', label: 'Chat', utterances: ['hello, how are you today?', 'what should I cook tonight?', 'wie geht es dir heute?'] },
    { id: 'code', label: 'Code', target: 'coder', utterances: [
      'debug this segfault in my C program', 'why does my pod keep restarting', 'schreibe eine Funktion in Python'] },
    { id: 'poem', label: 'Poems', description: 'verse', utterances: [
      'write a sad poem about autumn', 'Schreibe ein trauriges Gedicht über den Herbst', 'a story about a lighthouse keeper'] },
    { id: 'maths', label: 'Maths', utterances: ['what is the derivative of x squared', 'prove that the square root of 2 is irrational'],
      negatives: ['what should I cook for two people'] },
  ],
};
export const prompts = {
  code: 'please debug this segfault in my program', poem: 'write a sad poem about the autumn rain',
  maths: 'what is the derivative of x cubed', chat: 'hello, how are you this morning?',
};

let made;
/** An asset with the exits 0, 1, a middle one and the last; its stop confidences are 1: the last exit answers. */
export function asset() {
  return (made ??= (async () => {
    const embedder = await encoder({ model, wasm, variant: variants.at(-1), worker: false });
    const layers = [...new Set([0, 1, Math.ceil(embedder.layers / 2), embedder.layers])];
    try {
      return await SmartRouter.compile(routes, embedder, { layers, wasm, variant: variants.at(-1) });
    } finally {
      embedder.dispose();
    }
  })());
}

export async function load(options) {
  return SmartRouter.load({ asset: await asset(), model, wasm, variant: variants.at(-1), ...options });
}
export const plain = (decision) => ({ ...decision, ms: 0 });
export const until = (router, what) =>
  new Promise((resolve) => {
    const look = () => what(router.state) && (router.removeEventListener('state', look), resolve(router.state));
    router.addEventListener('state', look);
    look();
  });

/** behave(request, response, n, send): send({ bytes, cut }) answers, ranges included. */
export async function modelServer(behave = (request, response, n, send) => send({})) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.range ?? '');
    behave(request, response, seen.length, ({ bytes = model, cut = Infinity } = {}) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from ? 206 : 200, { 'content-length': bytes.length - from });
      response.write(bytes.subarray(from, Math.min(bytes.length, Math.max(from, cut))), () => {
        if (cut < bytes.length) setTimeout(() => request.socket.destroy(), 20);
        else response.end();
      });
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${server.address().port}/model.srm`, seen,
    close: () => (server.closeAllConnections(), server.close()),
  };
}
