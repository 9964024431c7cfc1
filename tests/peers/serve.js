#!/usr/bin/env node
// A published model as an OpenAI-compatible embeddings server: node serve.js FOLDER/NAME [PORT]
// Prints "listening on http://127.0.0.1:PORT/v1" and serves until it is stopped.
import { createServer } from 'node:http';
import { basename } from 'node:path';
import { known, model as open } from './model.js';

const [folder, port = '0'] = process.argv.slice(2);
if (!known[basename(folder ?? '')]) {
  console.error(`usage: node serve.js FOLDER/NAME [PORT], NAME one of ${Object.keys(known).join(', ')}`);
  process.exit(2);
}
const { embed } = await open(folder, Number(process.env.THREADS ?? 0)); // 0: as many as there are cores

let running = Promise.resolve(); // one batch at a time: the session uses all threads itself
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    running = running.then(async () => {
      const answer = (status, body) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      };
      try {
        const { input, model } = JSON.parse(Buffer.concat(parts).toString());
        const vectors = await embed([].concat(input));
        answer(200, { object: 'list', model, data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })) });
      } catch (error) {
        answer(400, { error: { message: String(error) } });
      }
    });
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}/v1`));
