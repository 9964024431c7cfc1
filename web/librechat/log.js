// The operator's log: off unless smartrouter.json says "log": true. It stays on the device and never holds text: only which
// route was proposed and which was used, how sure it was, and how long it took.
import { read, write } from './store.js';

const KEEP = 500;

export class Log {
  constructor(on) {
    this.on = on;
  }
  /** entry: { route, used, confidence, override, outcome, ms, exit, mode, first } */
  add(entry) {
    if (!this.on) return;
    const { route, used, confidence, override, outcome, ms, exit, mode, first } = entry;
    const rounded = { at: new Date().toISOString(), route, used, confidence: round(confidence), override, outcome, ms: round(ms), exit, mode, first };
    write('log', [...entries(), rounded].slice(-KEEP));
  }
}

const round = (number) => (typeof number === 'number' ? Math.round(number * 1000) / 1000 : null);

export function entries() {
  const list = read('log', []);
  return Array.isArray(list) ? list : [];
}

/** How often people chose otherwise, in all and by proposed route; the median time added at a send. */
export function report(list = entries()) {
  const routes = {};
  const times = [];
  let overridden = 0, counted = 0;
  for (const { route, override, ms, outcome } of list) {
    if (outcome === 'sent' && typeof ms === 'number') times.push(ms);
    if (!route) continue;
    const row = (routes[route] ||= { proposed: 0, overridden: 0 });
    row.proposed++;
    counted++;
    if (override) row.overridden++, overridden++;
  }
  times.sort((a, b) => a - b);
  for (const row of Object.values(routes)) row.rate = row.overridden / row.proposed;
  return { messages: list.length, proposed: counted, overridden, rate: counted ? overridden / counted : 0, medianMs: times[times.length >> 1] ?? null, routes };
}

export function exportLog() {
  const file = JSON.stringify({ kind: 'smartrouter-log', report: report(), entries: entries() }, null, 1);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([file], { type: 'application/json' }));
  link.download = 'smartrouter-log.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
