// worker.js for tests: dies at once on a text that begins with 'die', as often as the text says: 'die 1', 'die 9', or never comes back:
// 'hang 1'. The count is kept across workers in a shared buffer of the process's environment data.
import { getEnvironmentData, parentPort } from 'node:worker_threads';

const deaths = new Int32Array(getEnvironmentData('deaths'));
parentPort.on('message', (message) => {
  const [, how, times] = /^(die|hang) (\d+)/.exec(message.text ?? '') ?? [];
  if (!how || Atomics.add(deaths, 0, 1) >= Number(times)) return;
  if (how === 'die') process.exit(3);
  for (;;);
});
await import('../../web/worker.js');
