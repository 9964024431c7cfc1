// An OpenAI-compatible /v1/embeddings server as an embedder. http.d.ts says what the options mean.
import { fail, absolute } from '../wasm.js';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30000;

export function http(options) {
  if (options === null || typeof options !== 'object') throw new TypeError('http() wants an object of options');
  const { model, headers = () => ({}), prefix = '', batch = 32, timeoutMs = 10000, retries = 3 } = options;
  let { dimensions } = options;
  const url = new URL(absolute(options.url, 'url'));
  if (!/^https?:$/.test(url.protocol)) throw new TypeError('url must be http or https');
  if (typeof model !== 'string' || !model) throw new TypeError('model must be a name');
  if (typeof headers !== 'function') throw new TypeError('headers must be a function, so that a key is never stored');
  for (const [name, value, least] of [['batch', batch, 1], ['timeoutMs', timeoutMs, 1], ['retries', retries, 0]])
    if (!(Number.isFinite(value) && value >= least)) throw new TypeError(`${name} must be a number of at least ${least}`);
  if (!/\/embeddings\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, '')}/embeddings`;
  const where = `${url.origin}${url.pathname}`; // a key in the query stays out of messages

  async function many(texts, { signal } = {}) {
    const vectors = [];
    for (let at = 0; at < texts.length; at += batch) vectors.push(...(await request(texts.slice(at, at + batch), signal)));
    return vectors;
  }

  async function request(texts, signal) {
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted();
      try {
        return await once(texts, signal);
      } catch (error) {
        if (!error.again || tries >= retries) throw error;
        const wait = error.wait ?? FIRST_WAIT_MS * 2 ** tries * (0.75 + Math.random() / 2);
        await sleep(Math.min(wait, LONGEST_WAIT_MS), signal);
      }
    }
  }

  async function once(texts, signal) {
    const own = await headers();
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    const stop = () => late.abort();
    signal?.addEventListener('abort', stop, { once: true });
    const hide = (text) => Object.values(own).reduce((t, secret) => hideSecret(t, String(secret)), text);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...own, 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ model, input: texts.map((t) => (prefix + t).toWellFormed?.() ?? prefix + t), encoding_format: 'float' }),
        signal: late.signal,
        redirect: 'error', // a key is for one server only
        credentials: 'omit',
      });
      const body = await response.text();
      if (!response.ok) throw statusError(response, hide(body));
      return read(body, texts.length, hide);
    } catch (error) {
      if (error.code?.startsWith?.('SR_')) throw error;
      signal?.throwIfAborted();
      if (late.signal.aborted) throw fail('SR_TIMEOUT', `${where} did not answer within ${timeoutMs} ms`);
      const reason = error.cause?.code ?? error.cause?.message ?? error.message;
      const half = /terminated|other side closed|aborted|premature|incomplete/i.test(`${reason} ${error.message}`);
      throw Object.assign(half ? fail('SR_RESPONSE', `${where} sent half an answer`, error)
        : fail('SR_FETCH', `cannot reach ${where}: ${reason} (server down, redirect, or CORS does not allow this page)`, error), { again: true });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  function statusError(response, body) {
    const error = fail('SR_FETCH', `${where} answered ${response.status}: ${excerpt(body)}`);
    error.again = response.status === 429 || response.status >= 500;
    const after = response.headers.get('retry-after');
    if (after) error.wait = /^\d+$/.test(after) ? after * 1000 : Math.max(0, Date.parse(after) - Date.now()) || undefined;
    return error;
  }

  function read(body, count, hide) {
    const refuse = (what) => fail('SR_RESPONSE', `${where} ${what}`);
    let answer;
    try {
      answer = JSON.parse(body);
    } catch {
      if (/^\s*</.test(body)) throw refuse(`answered with a web page, not with embeddings: ${excerpt(hide(body))}`);
      throw refuse(body.trim().startsWith('{') ? 'sent half an answer' : `sent something that is not JSON: ${excerpt(hide(body))}`);
    }
    const data = answer?.data;
    if (!Array.isArray(data)) throw refuse(`answered without "data": ${excerpt(hide(body))}`);
    if (data.length !== count) throw refuse(`sent ${data.length} embeddings for ${count} texts`);
    if (typeof answer.model === 'string' && answer.model && !sameModel(answer.model, model))
      throw fail('SR_E_MODEL', `${where} answered with ${answer.model}, not ${model}`);
    const vectors = new Array(count);
    data.forEach((entry, i) => {
      const at = Number.isInteger(entry?.index) ? entry.index : i;
      const vector = entry?.embedding;
      if (at < 0 || at >= count || vectors[at]) throw refuse('numbered its embeddings wrongly');
      if (!Array.isArray(vector) || !vector.length || !vector.every(Number.isFinite)) throw refuse('sent an embedding that is not a list of numbers');
      dimensions ??= vector.length;
      if (vector.length !== dimensions) throw fail('SR_E_DIM', `${where} sent ${vector.length} dimensions, not ${dimensions}`);
      vectors[at] = Float32Array.from(vector);
    });
    return vectors;
  }

  const embed = async (text, more) => (await many([text], more))[0];
  return Object.defineProperties(embed, {
    modelId: { value: model },
    dimensions: { get: () => dimensions },
    prefix: { value: prefix },
    many: { value: many },
  });
}

/** Servers shorten, path and version their names: org/Name-8B and name-8b, name and name-v2 are one. */
function sameModel(a, b) {
  const [x, y] = [a, b].map((name) => name.toLowerCase().split('/').pop());
  return x.startsWith(y) || y.startsWith(x);
}
const excerpt = (text) => text.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim().slice(0, 200) || '(nothing)';
function hideSecret(text, secret) {
  const key = secret.replace(/^\w+ /, ''); // 'Bearer …'
  return key.length >= 6 ? text.replaceAll(key, '…') : text;
}
function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      signal?.aborted ? reject(signal.reason) : resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}
