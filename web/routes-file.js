// Reads a route file (routes/README.md) and checks every field, as src/program/routes_file.c does.
import { fail } from './wasm.js';

const FILE = ['name', 'version', 'fallback', 'embedder', 'aggregation', 'low_margin', 'fit', 'routes'];
const EMBEDDER = ['model', 'exits', 'prefix', 'dimensions'];
const ROUTE = ['id', 'label', 'description', 'target', 'threshold', 'margin', 'utterances', 'negatives'];
const MOST_ROUTES = 256, MOST_UTTERANCES = 100000, MOST_EXITS = 32;

const wrong = (message) => {
  throw fail('SR_ROUTES', message);
};
const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

function knownFields(object, where, names) {
  for (const name of Object.keys(object))
    if (!names.includes(name) && name !== 'comment' && !name.startsWith('$'))
      wrong(`${where}: unknown field "${name}"; routes/README.md lists the fields`);
}
function string(object, where, name, needed) {
  const value = object[name];
  if (value === undefined && !needed) return undefined;
  if (typeof value !== 'string' || (needed && !value))
    wrong(`${where}: "${name}" ${value === undefined ? 'is missing' : 'must be a text that is not empty'}`);
  if (value.includes('\0')) wrong(`${where}: "${name}" holds U+0000`);
  return value;
}
function number(object, where, name, lowest, highest) {
  const value = object[name];
  if (value !== undefined && !(typeof value === 'number' && value >= lowest && value <= highest))
    wrong(`${where}: "${name}" must be a number from ${lowest} to ${highest}`);
  return value;
}
function texts(object, where, name) {
  const value = object[name];
  if (value === undefined) return [];
  if (!Array.isArray(value)) wrong(`${where}: "${name}" must be a list of texts`);
  return value.map((item, i) => {
    const text = isObject(item) ? item.text : item;
    if (typeof text !== 'string' || !/[^ \t\r\n]/.test(text)) wrong(`${where}: "${name}" number ${i + 1} must be a text that is not empty`);
    if (text.includes('\0')) wrong(`${where}: "${name}" number ${i + 1} holds U+0000`);
    return text;
  });
}

export function checkRoutes(file) {
  if (!isObject(file) || !Array.isArray(file.routes) || !file.routes.length)
    wrong('the file must be an object with a list "routes"; routes/README.md shows one');
  if (file.routes.length > MOST_ROUTES) wrong(`${file.routes.length} routes; at most ${MOST_ROUTES} are allowed`);
  knownFields(file, 'the file', FILE);
  const out = { name: string(file, 'the file', 'name', true), texts: [], prefix: '' };
  const low = string(file, 'the file', 'low_margin');
  if (low !== undefined && low !== 'fallback' && low !== 'uncertain') wrong('"low_margin" must be "fallback" or "uncertain"');
  out.uncertain = low === 'uncertain';
  out.aggregation = file.aggregation === 'max' ? 1 : Math.trunc(number(file, 'the file', 'aggregation', 1, 64) ?? 0);
  if (file.embedder !== undefined) embedder(file.embedder, out);
  out.routes = file.routes.map((item, i) => route(item, i + 1, out));
  const fallback = string(file, 'the file', 'fallback', true);
  const ids = out.routes.map((r) => r.id);
  ids.forEach((id, i) => {
    if (ids.indexOf(id) < i) wrong(`route "${id}": the id stands there twice (routes number ${ids.indexOf(id) + 1} and ${i + 1})`);
  });
  out.fallback = ids.indexOf(fallback);
  if (out.fallback < 0) wrong(`"fallback": no route has the id "${fallback}"`);
  for (const [i, r] of out.routes.entries())
    if (!r.count && i !== out.fallback) wrong(`route "${r.id}": "utterances" is empty; give at least one example prompt`);
  if (out.texts.length > MOST_UTTERANCES) wrong(`${out.texts.length} utterances; at most ${MOST_UTTERANCES} are allowed`);
  if (!out.texts.length) wrong('no route has an utterance');
  return out;
}

function route(item, number_, out) {
  const where = typeof item?.id === 'string' ? `route "${item.id}"` : `route number ${number_}`;
  if (!isObject(item)) wrong(`${where} must be an object`);
  knownFields(item, where, ROUTE);
  const id = string(item, where, 'id', true);
  const negatives = texts(item, where, 'negatives'), positives = texts(item, where, 'utterances');
  for (const text of [...positives, ...negatives]) out.texts.push(text);
  return {
    id,
    label: string(item, where, 'label') ?? id,
    description: string(item, where, 'description'),
    target: string(item, where, 'target'),
    threshold: number(item, where, 'threshold', -1, 1),
    margin: number(item, where, 'margin', 0, 2),
    count: positives.length + negatives.length,
    negatives: negatives.length,
  };
}

function embedder(object, out) {
  if (!isObject(object)) wrong('"embedder" must be an object');
  knownFields(object, 'embedder', EMBEDDER);
  out.model = string(object, 'embedder', 'model');
  out.prefix = string(object, 'embedder', 'prefix') ?? '';
  out.dimensions = number(object, 'embedder', 'dimensions', 4, 8192);
  const { exits } = object;
  if (exits === undefined) return;
  const rising = (layer, i) => Number.isInteger(layer) && layer >= 0 && layer <= 255 && (!i || layer > exits[i - 1]);
  if (!Array.isArray(exits)) wrong('embedder: "exits" must be a list of layer numbers');
  if (!exits.every(rising) || exits.length >= MOST_EXITS) wrong('embedder: "exits" must be rising whole numbers from 0, such as [1, 4, 9]');
  if (exits.length) out.layers = exits;
}
