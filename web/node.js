// What only Node has. Imported on demand and mapped to nothing in bundles for browsers.
import { open, readFile as read } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { fail } from './wasm.js';

export async function readFile(url) {
  try {
    return new Uint8Array(await read(url));
  } catch (cause) {
    throw fail('SR_FETCH', `cannot read ${url.pathname}: ${cause.code ?? cause.message}`, cause);
  }
}

/** A file as { total, stream }, from an offset on. */
export async function readStream(url, offset) {
  let file;
  try {
    file = await open(url);
  } catch (cause) {
    throw fail('SR_FETCH', `cannot read ${url.pathname}: ${cause.code ?? cause.message}`, cause);
  }
  const { size } = await file.stat();
  async function* chunks() {
    try {
      const chunk = new Uint8Array(1 << 20);
      for (let at = offset; at < size; ) {
        const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
        if (!bytesRead) return;
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
  return { total: size, chunks: chunks() };
}

/** The part of a browser's Worker that we use, over worker_threads. Keeps the process alive only while `busy`. */
export function startWorker(url) {
  const thread = new Worker(url);
  thread.unref();
  const port = {
    postMessage: (message, transfer) => thread.postMessage(message, transfer),
    terminate: () => void thread.terminate(),
    busy: (on) => (on ? thread.ref() : thread.unref()),
    onmessage: null,
    onerror: null,
  };
  thread.on('message', (data) => port.onmessage?.({ data }));
  thread.on('error', (error) => port.onerror?.(error));
  thread.on('exit', (status) => port.onerror?.(new Error(`the worker ended (${status})`)));
  return port;
}
