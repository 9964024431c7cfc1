import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { part, setup, site, text, type, use } from './harness.js';

const it = setup();
let other; // an OpenAI-compatible server on another origin: hashed letter groups, so that like words are near
before(async () => {
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      other.requests.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() });
      const cors = other.cors ? { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization, content-type' } : {};
      if (request.method === 'OPTIONS') return response.writeHead(other.cors ? 204 : 405, cors).end();
      if (other.key && request.headers.authorization !== `Bearer ${other.key}`)
        return response.writeHead(401, { ...cors, 'content-type': 'application/json' }).end('{"error":{"message":"wrong key"}}');
      if (other.answer) return response.writeHead(200, { ...cors, 'content-type': 'text/html' }).end(other.answer);
      const { input, model } = JSON.parse(other.requests.at(-1).body);
      const data = input.map((t, index) => ({ index, embedding: embed(t, other.dimensions) }));
      response.writeHead(200, { ...cors, 'content-type': 'application/json' }).end(JSON.stringify({ data, model }));
    });
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  other = { server, url: `http://127.0.0.1:${server.address().port}/v1`, requests: [], cors: true, dimensions: 64, key: 'secret-key-123' };
});
after(() => (other.server.closeAllConnections(), other.server.close()));
function embed(words, dimensions) {
  const vector = new Array(dimensions).fill(0.001);
  const padded = ` ${words.toLowerCase()} `;
  for (let i = 0; i + 3 <= padded.length; i++) {
    let hash = 7;
    for (const c of padded.slice(i, i + 3)) hash = (Math.imul(hash, 31) + c.codePointAt(0)) >>> 0;
    vector[hash % dimensions] += 1;
  }
  return vector;
}
async function connect(page, { key = other.key, url = other.url } = {}) {
  await part(page, 'own', '#own-url');
  await page.fill('#own-url', url);
  await page.fill('#own-model', 'letters');
  await page.fill('#own-key', key);
  await page.click('.own-form [type=submit]');
}

test('a server of one’s own: compiled, used, its key kept nowhere, and left again', async () => {
  const page = await it.open();
  await connect(page);
  assert.match(await text(page, '.own-result', /in use/, 60000), /64 dimensions[^]*%/);
  await type(page, 'tell me how I debug this function');
  await text(page, '#verdict', /%/);
  await text(page, '#exits', /letters/);
  assert.ok(other.requests.some((r) => r.method === 'POST' && r.headers.authorization === 'Bearer secret-key-123'));
  const keptAnywhere = await page.evaluate(async () => {
    const seen = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), location.href, document.cookie];
    for (const { name } of await indexedDB.databases()) {
      const db = await new Promise((done) => (indexedDB.open(name).onsuccess = (e) => done(e.target.result)));
      for (const store of db.objectStoreNames)
        seen.push(JSON.stringify(await new Promise((done) => (db.transaction(store).objectStore(store).getAll().onsuccess = (e) => done(e.target.result)))));
    }
    return seen.join();
  });
  assert.ok(!keptAnywhere.includes('secret-key'));
  await page.click('.own-back:visible >> nth=0');
  const before = other.requests.length;
  await page.fill('#prompt', 'and this one stays here');
  await text(page, '#verdict', /%/);
  await page.waitForTimeout(600);
  assert.equal(other.requests.length, before);
  assert.equal(await page.inputValue('#own-key'), '');
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('what can go wrong with a server is explained', async () => {
  const page = await it.open({ shallow: true });
  other.cors = false;
  await connect(page);
  await text(page, '.own-result', /could not reach[^]*Access-Control-Allow-Origin: http:\/\/127/, 60000);
  other.cors = true;
  await connect(page, { key: 'wrong-key-000' });
  const wrong = await text(page, '.own-result', /401/);
  assert.ok(!/wrong-key-000/.test(wrong) && !/Access-Control/.test(wrong));
  other.answer = '<h1>hello</h1>';
  await connect(page);
  await text(page, '.own-result', /not a list of embeddings/);
  other.answer = null;
  await connect(page);
  await text(page, '.own-result', /in use/, 60000);
  other.dimensions = 32; // the server changes its model under the page
  await page.fill('#prompt', 'a prompt it has not seen');
  await text(page, '#problem', /another number of dimensions/);
  other.dimensions = 64;
  await page.context().close();
});

test('a model file from disk; another kind of file is refused', async () => {
  const page = await it.open({ shallow: true });
  await part(page, 'own', '#own-pick');
  const pick = (buffer) => page.setInputFiles('.drop input[type=file]', { name: 'mine.srm', mimeType: 'application/octet-stream', buffer });
  await pick(Buffer.from('<!doctype html>'));
  await text(page, 'div.own-form .own-result', /not a file of the kind/);
  await pick(readFileSync(`${site}/${use.model.path}`));
  await text(page, 'div.own-form .own-result', /mine\.srm is in use/, 120000);
  await type(page, 'Write a sad poem about the autumn rain');
  await text(page, '#verdict', /Creative Writing/);
  await page.context().close();
});
