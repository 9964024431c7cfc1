// worker.js for the soak: dies in the middle of every hundredth prompt that it is given.
import { parentPort } from 'node:worker_threads';

let prompts = 0;
parentPort.on('message', (message) => {
  if (message.type === 'route' && ++prompts === 100) process.exit(3);
});
await import('../../web/worker.js');
