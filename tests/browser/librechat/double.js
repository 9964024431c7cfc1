// A stand-in for the router, for faults that the real one does not show on demand: same contract (smartrouter.d.ts), decided by
// words. window.double: { slowMs, crash, loadFails, loadMs, confidence, only }.
const WORDS = {
  'creative-writing': ['poem', 'story', 'slogan'],
  'deep-engineering': ['debug', 'segfault', 'code', 'sql'],
  'logic-science': ['prove', 'integral', 'physics'],
  'agents-tools': ['weather', 'remind', 'chart'],
};
const LABELS = { 'general-chat': 'General', 'creative-writing': 'Creative', 'deep-engineering': 'Engineering', 'logic-science': 'Science', 'agents-tools': 'Agents' };
const options = () => globalThis.double || {};
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function decide(text, deep) {
  const learned = options().learned?.find((item) => text.includes(item.text));
  const words = text.toLowerCase();
  const route = learned?.route || Object.keys(WORDS).find((id) => WORDS[id].some((word) => words.includes(word))) || 'general-chat';
  const confidence = options().confidence ?? (/maybe/.test(words) ? 0.2 : /rather/.test(words) ? 0.6 : 0.93);
  return {
    route, label: LABELS[route], nearest: route, score: 0.8, margin: 0.3, confidence, uncertain: false, belowThreshold: false, belowMargin: false,
    exit: deep ? 1 : 0, layer: deep ? 9 : -1, embedder: deep ? 'encoder' : 'table', ms: 1,
    scores: Object.keys(LABELS).map((id) => ({ route: id, score: id === route ? 0.8 : 0.3 })).sort((a, b) => b.score - a.score),
    why: [{ text: 'fix this <b>segfault</b>', route, similarity: 0.81 }, { text: 'another example', route, similarity: 0.72 }],
  };
}

export class SmartRouter extends EventTarget {
  static async load(given) {
    globalThis.doubleOptions = { asset: String(given.asset), table: String(given.table), model: String(given.model), autoload: given.autoload, embedder: given.embedder?.modelId, lastExit: given.lastExit };
    if (options().loadMs) await wait(options().loadMs);
    if (options().loadFails) throw Object.assign(new Error('no such file'), { code: 'SR_FETCH' });
    return new SmartRouter();
  }
  routes = Object.keys(LABELS).map((id) => ({ id, label: LABELS[id], description: '', target: '', utterances: 2, fallback: id === 'general-chat' }));
  exits = [{ exit: 0, embedder: 'table' }, { exit: 1, embedder: 'encoder' }];
  fallback = 'general-chat';
  variant = 'scalar';
  state = { state: 'full', exit: 1 };
  loads = 0;
  routed = 0;
  async load() {
    this.loads++;
    globalThis.doubleLoads = this.loads;
  }
  preview(text) {
    if (options().previewThrows) throw new Error('preview broke');
    return options().noPreview ? null : decide(text, false);
  }
  async route(text) {
    globalThis.doubleRouted = ++this.routed;
    if (options().slowMs) await wait(options().slowMs);
    if (options().crash) throw Object.assign(new Error('the worker crashed twice'), { code: 'SR_WORKER' });
    return decide(text, true);
  }
  #learned = [];
  async learn(text, route) {
    this.#learned.push({ id: this.#learned.length + 1, text, route, weight: 1 });
    globalThis.double = { ...options(), learned: this.#learned };
  }
  learned = () => this.#learned;
  unlearn(id) {
    this.#learned = this.#learned.filter((item) => item.id !== id);
    globalThis.double = { ...options(), learned: this.#learned };
    return true;
  }
  exportLearned = () => ({ name: 'learned', routes: [{ id: 'x', label: 'x', utterances: this.#learned.map((item) => item.text) }] });
  importLearned = async () => 0;
  dispose() {}
}
