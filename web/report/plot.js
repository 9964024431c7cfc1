// What all figures share.
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

const { document } = parseHTML('<html><body></body></html>');

// Okabe and Ito's colours, in an order that keeps neighbours apart for everyone; readable on white and on near-black.
export const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b8860b', '#56b4e9', '#8a63d2', '#7f7f7f'];

export const draw = (options) =>
  Plot.plot({
    document,
    width: 720,
    marginLeft: 56,
    marginBottom: 40,
    insetRight: 8,
    style: { fontSize: '12px', background: 'none' },
    ...options,
    color: { range: colours, ...options.color },
  }).outerHTML;

export const percentAxis = (label, more = {}) => ({ label, tickFormat: (v) => `${Math.round(100 * v)}`, grid: true, ...more });

const names = {
  own: 'own evaluation prompts',
  dev: 'public prompts (dev)',
  corpus: 'corpus, languages left out',
  'out-of-scope': 'out of scope and odd prompts',
  'support-desk': 'support desk',
  'support-desk--plain': 'support desk, no map',
  'smart-home': 'smart home',
  'smart-home--plain': 'smart home, no map',
};
export const yardstick = (name) => names[name] ?? name;

export const percent = (share) => (share == null || Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`);
export const interval = (i) =>
  i?.value == null ? '–' : i.low == null ? percent(i.value) : `${percent(i.value)} (${(100 * i.low).toFixed(1)} to ${(100 * i.high).toFixed(1)})`;
