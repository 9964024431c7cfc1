// smartrouter.json: read, checked, completed. A mistake never stops the plugin: the message says what to change, and the
// default stands in.

const MODES = ['first', 'sure', 'every'];
const DOWNLOADS = ['never', 'focus', 'wifi'];

const DEFAULTS = {
  auto: true,
  mode: 'first',
  routes: {},
  confidence: { route: 0.4, sure: 0.75 },
  wait: { decide: 150, select: 1500 },
  embedder: { type: 'encoder', lastExit: null, download: 'focus' },
  files: {},
  language: 'auto',
  log: false,
};

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isShare = (value) => typeof value === 'number' && value >= 0 && value <= 1;
const isText = (value) => typeof value === 'string' && value !== '';

/** { config, messages } from what JSON.parse gave (undefined: no file). */
export function checkConfig(given) {
  const messages = [];
  const config = structuredClone(DEFAULTS);
  if (given === undefined) return { config, messages };
  if (!isObject(given)) {
    messages.push('smartrouter.json must hold one object, { … }. All settings have their defaults now.');
    return { config, messages };
  }
  const say = (name, expected) => messages.push(`smartrouter.json: "${name}" must be ${expected}. The default stays in force.`);
  const known = (object, names, where) => {
    for (const name of Object.keys(object))
      if (!names.includes(name) && !name.startsWith('//'))
        messages.push(`smartrouter.json: there is no setting "${where}${name}". Known here: ${names.join(', ')}.`);
  };
  const section = (name, check) => {
    if (given[name] === undefined) return;
    if (isObject(given[name])) check(given[name]);
    else say(name, 'an object, { … }');
  };
  const take = (from, to, name, test, expected, where = '') => {
    if (from[name] === undefined) return;
    if (test(from[name])) to[name] = from[name];
    else say(where + name, expected);
  };
  const oneOf = (list) => [(value) => list.includes(value), `one of ${list.map((item) => `"${item}"`).join(', ')}`];

  known(given, ['$schema', ...Object.keys(DEFAULTS)], '');
  take(given, config, 'auto', (v) => typeof v === 'boolean', 'true or false');
  take(given, config, 'mode', ...oneOf(MODES));
  take(given, config, 'language', isText, '"auto" or a language such as "de"');
  take(given, config, 'log', (v) => typeof v === 'boolean', 'true or false');
  section('confidence', (from) => {
    known(from, ['route', 'sure'], 'confidence.');
    for (const name of ['route', 'sure']) take(from, config.confidence, name, isShare, 'a number from 0 to 1', 'confidence.');
  });
  section('wait', (from) => {
    known(from, ['decide', 'select'], 'wait.');
    const isWait = (v) => Number.isFinite(v) && v >= 0 && v <= 5000;
    for (const name of ['decide', 'select']) take(from, config.wait, name, isWait, 'milliseconds, 0 to 5000', 'wait.');
  });
  section('files', (from) => {
    known(from, ['asset', 'table', 'model'], 'files.');
    for (const name of ['asset', 'table', 'model'])
      take(from, config.files, name, (v) => v === null || isText(v), 'a file name or null', 'files.');
  });
  section('routes', (from) => {
    for (const [route, value] of Object.entries(from)) {
      if (route.startsWith('//')) continue;
      const target = checkTarget(value);
      if (target !== undefined) config.routes[route] = target;
      else say(`routes.${route}`, 'a model spec\'s name, { "spec": … }, { "endpoint": …, "model": … }, or null for preview only');
    }
  });
  section('embedder', (from) => {
    const { embedder } = config;
    take(from, embedder, 'type', ...oneOf(['encoder', 'server']), 'embedder.');
    if (embedder.type === 'server') {
      known(from, ['type', 'url', 'model', 'prefix', 'dimensions'], 'embedder.');
      take(from, embedder, 'url', isText, 'the address of the server, such as "/embeddings/v1"', 'embedder.');
      take(from, embedder, 'model', isText, "the model's name at that server", 'embedder.');
      take(from, embedder, 'prefix', (v) => typeof v === 'string', 'text', 'embedder.');
      take(from, embedder, 'dimensions', (v) => Number.isInteger(v) && v > 0, 'a whole number', 'embedder.');
      if (!embedder.url || !embedder.model) {
        messages.push('smartrouter.json: an embedder of type "server" needs "url" and "model". The built-in encoder is used.');
        embedder.type = 'encoder';
      }
    } else {
      known(from, ['type', 'lastExit', 'download'], 'embedder.');
      take(from, embedder, 'lastExit', (v) => v === null || (Number.isInteger(v) && v >= 0), 'null or a whole number', 'embedder.');
      take(from, embedder, 'download', ...oneOf(DOWNLOADS), 'embedder.');
    }
  });
  if (config.confidence.sure < config.confidence.route) {
    messages.push('smartrouter.json: "confidence.sure" is lower than "confidence.route". It is raised to it.');
    config.confidence.sure = config.confidence.route;
  }
  return { config, messages };
}

function checkTarget(value) {
  if (value === null) return null;
  if (isText(value)) return { spec: value };
  if (!isObject(value)) return undefined;
  const keys = Object.keys(value).sort().join();
  if (keys === 'spec' && isText(value.spec)) return { spec: value.spec };
  if (keys === 'endpoint,model' && isText(value.endpoint) && isText(value.model)) return { endpoint: value.endpoint, model: value.model };
  return undefined;
}

/** What serves each of the asset's routes: the configuration's word, else the asset's target, else the spec of the same name. */
export function targetsFor(routes, config) {
  return Object.fromEntries(routes.map(({ id, target, label }) => {
    const found = Object.hasOwn(config.routes, id) ? config.routes[id] : { spec: target || id };
    return [id, found && { ...found, label }];
  }));
}

/** Names that LibreChat does not have. Those routes are shown, never switched to. */
export function checkTargets(targets, specs, endpoints) {
  const messages = [];
  const missing = new Set();
  const names = (specs || []).map((spec) => spec.name);
  for (const [route, target] of Object.entries(targets)) {
    if (target?.spec && specs && !names.includes(target.spec)) {
      missing.add(route);
      messages.push(
        `Route "${route}" goes to the model spec "${target.spec}", which librechat.yaml does not have` +
          ` (it has: ${names.join(', ') || 'none'}). The route is shown only.`,
      );
    } else if (target?.endpoint && endpoints?.length && !endpoints.some((endpoint) => endpoint.value === target.endpoint)) {
      missing.add(route);
      messages.push(`Route "${route}" goes to the endpoint "${target.endpoint}", which LibreChat does not offer. It is shown only.`);
    }
  }
  return { messages, missing };
}

/** Routes in the configuration that the asset does not know. */
export function checkRoutes(routes, config) {
  const ids = routes.map((route) => route.id);
  return Object.keys(config.routes)
    .filter((id) => !ids.includes(id))
    .map((id) => `smartrouter.json: there is no route "${id}" in the route asset. It has: ${ids.join(', ')}.`);
}
