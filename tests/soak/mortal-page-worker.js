// worker.js for the soak in a page: its hundredth prompt finds it dead. A page hears nothing of a worker that closes itself,
// so it goes as a trap does, with an error that nobody catches.
let prompts = 0;
addEventListener('message', (event) => {
  if (event.data.type !== 'route' || ++prompts !== 100) return;
  event.stopImmediatePropagation();
  setTimeout(() => {
    throw new Error('killed by the soak');
  });
});
await import('../../web/worker.js');
