// Interface texts: English stands in index.html and lang/en.json, the others in lang/*.json; a missing text falls back to English.
import { recall, remember } from './storage.js';

export const LANGUAGES = ['en', 'de', 'es', 'fr', 'it', 'nl', 'pl', 'pt'];
let english = {}, texts = {};
let language = 'en';
const listeners = new Set();

export const current = () => language;
export const onLanguage = (fn) => (listeners.add(fn), fn);

function choose() {
  const wanted = [recall('language'), ...(navigator.languages ?? [])].filter(Boolean);
  return wanted.map((l) => l.toLowerCase().split('-')[0]).find((l) => LANGUAGES.includes(l)) ?? 'en';
}
async function load(code) {
  const response = await fetch(new URL(`./lang/${code}.json`, import.meta.url));
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

export async function startLanguage() {
  const code = choose();
  const [en, own] = await Promise.all([load('en').catch(() => ({})), code === 'en' ? null : load(code).catch(() => null)]);
  english = en;
  language = own ? code : 'en';
  texts = own ?? en;
  translate(document);
}
export async function setLanguage(code) {
  const next = code === 'en' ? english : await load(code).catch(() => null);
  if (!next) return;
  texts = next;
  language = code;
  remember('language', code);
  translate(document);
  for (const fn of listeners) fn(code);
}

/** A text with {name} filled in. Plurals: key.one, key.few, … when `n` is given. */
export function t(key, values = {}) {
  let text;
  if (values.n !== undefined) {
    const form = new Intl.PluralRules(language).select(Number(values.n));
    text = texts[`${key}.${form}`] ?? texts[`${key}.other`] ?? english[`${key}.${form}`] ?? english[`${key}.other`];
  }
  text ??= texts[key] ?? english[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => (name === 'n' ? number(values.n) : values[name] ?? all));
}
export function number(value, digits = 0) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}
export const percent = (value) => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 }).format(value);
export function ms(value) {
  if (value < 1) return `${number(value * 1000, value < 0.00995 ? 1 : 0)} µs`;
  if (value < 1000) return `${number(value, value < 10 ? 1 : 0)} ms`;
  return `${number(value / 1000, 1)} s`;
}
export function bytes(value) {
  return value >= 1e6 ? `${number(value / 1e6, value < 1e7 ? 1 : 0)} MB` : `${number(Math.max(1, value / 1e3))} KB`;
}

function translate(root) {
  document.documentElement.lang = language;
  for (const node of root.querySelectorAll('[data-t]')) {
    const text = texts[node.dataset.t] ?? english[node.dataset.t];
    if (text !== undefined) node.textContent = text;
  }
  for (const name of ['aria-label', 'placeholder'])
    for (const node of root.querySelectorAll(`[data-t-${name}]`)) {
      const text = texts[node.getAttribute(`data-t-${name}`)] ?? english[node.getAttribute(`data-t-${name}`)];
      if (text !== undefined) node.setAttribute(name, text);
    }
}
