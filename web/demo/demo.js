// The demo page: a caller of the public API and of nothing else.
import { SmartRouter } from '../smartrouter.js';

const EXAMPLES = [
  'Schreibe ein trauriges Gedicht über den Herbst',
  'why does my pod keep restarting',
  'Quelle est la dérivée de x·ln(x) ?',
  'Turn off the lights in the kitchen at ten',
  '¿Qué ceno hoy con dos huevos y arroz?',
];

const $ = (id) => document.getElementById(id);
const percent = new Intl.NumberFormat(undefined, { style: 'percent' });
const score = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** An element; strings are text, never markup. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ---- drawing

let router;
const bars = new Map();

function drawRoutes() {
  for (const { id, label, description } of router.routes) {
    const name = make('span', { title: description }, label);
    const bar = make('meter', { min: -1, max: 1, value: -1, ariaLabel: label });
    const number = make('span', { className: 'number' });
    bars.set(id, { row: make('li', {}, name, bar, number), bar, number });
    $('routes').append(bars.get(id).row);
  }
}

function draw(decision) {
  const { routes, sentence } = router.explain(decision);
  $('decision').textContent = `${decision.label}: ${percent.format(decision.confidence)} sure`;
  $('sentence').textContent = sentence;
  for (const { route, score: value } of routes) {
    const { row, bar, number } = bars.get(route);
    bar.value = value;
    number.textContent = score.format(value);
    row.classList.toggle('chosen', route === decision.route);
    $('routes').append(row); // best first
  }
  $('why').replaceChildren(...decision.why.map((reason) =>
    make('li', {},
      make('span', { className: 'number' }, score.format(reason.similarity)),
      make('span', { className: 'soft' }, bars.has(reason.route) ? router.routes.find((r) => r.id === reason.route).label : ''),
      make('span', { className: 'text' }, reason.text))));
  drawFacts(decision);
}

function drawFacts(decision) {
  const by = { table: 'piece table', encoder: `encoder, layer ${decision.layer}`, external: 'embedder' }[decision.embedder];
  const facts = [`decided by ${by} (exit ${decision.exit})`, `${decision.ms.toFixed(decision.ms < 10 ? 2 : 0)} ms`,
    `WebAssembly ${router.variant}`, router.inWorker ? 'in a worker' : 'on this thread'];
  if (decision.pieces) facts.splice(1, 0, `${decision.pieces} pieces`);
  $('facts').textContent = facts.join(' · ');
}

function drawState() {
  const { state, layer, loadedBytes, totalBytes, fromCache, error } = router.state;
  const loading = state === 'loading' || state === 'exit';
  const size = totalBytes ? ` ${megabytes(loadedBytes)} of ${megabytes(totalBytes)}` : '';
  $('status').textContent = {
    idle: 'The piece table answers. The encoder reads more closely.',
    loading: `Loading the encoder:${size}`,
    exit: `The encoder answers up to layer ${layer}; more is coming:${size}`,
    full: `The encoder is whole: ${megabytes(totalBytes)}${fromCache ? ', from this browser’s cache' : ''}.`,
    failed: `The encoder did not load: ${error?.message}`,
  }[state];
  $('progress').hidden = !loading;
  if (totalBytes) Object.assign($('progress'), { max: totalBytes, value: loadedBytes });
  $('load').hidden = loading || state === 'full';
  if (state === 'failed') $('load').textContent = 'Try again';
}

// ---- doing

async function update() {
  const text = $('prompt').value;
  try {
    const early = router.preview(text);
    if (early) draw(early);
    draw(await router.route(text));
  } catch (error) {
    if (error.name !== 'AbortError' && error.code !== 'SR_NOT_READY') $('status').textContent = error.message;
  }
}

async function start() {
  const here = (path) => new URL(path, import.meta.url);
  const files = await (await fetch(here('../files.json'))).json();
  const place = (file) => file && here(`../${file.path}`);
  router = await SmartRouter.load({
    asset: place(files.asset),
    table: place(files.table),
    model: place(files.model),
    autoload: !files.table, // the first answer costs one megabyte; twenty more are asked for
  });
  drawRoutes();
  let deepest = router.state.exit;
  router.addEventListener('state', () => {
    drawState();
    if (router.state.exit > deepest && $('prompt').value) update();
    deepest = router.state.exit;
  });
  if (files.model) $('load').textContent = `Load the encoder (${megabytes(files.model.bytes)})`;
  $('load').addEventListener('click', () =>
    (router.state.state === 'failed' ? router.state.retry() : router.load()).catch(() => {})); // the state tells
  $('examples').append(...EXAMPLES.map((text) => {
    const button = make('button', { type: 'button' }, text);
    button.addEventListener('click', () => {
      $('prompt').value = text;
      update();
    });
    return button;
  }));
  $('prompt').addEventListener('input', update);
  drawState();
  if (!files.model) $('load').hidden = true;
  if ($('prompt').value) update();
  document.documentElement.dataset.ready = 'true';
}

start().catch((error) => {
  $('status').textContent = `This page cannot route: ${error.message}`;
});
