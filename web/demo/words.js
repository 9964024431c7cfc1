// Decisions and errors in words.
import { t, percent, number } from './i18n.js';

export function sureness(decision) {
  const c = decision.confidence;
  if (decision.uncertain && c >= 0.5) return t('sure.unsure');
  return t(c >= 0.9 ? 'sure.very' : c >= 0.75 ? 'sure.fairly' : c >= 0.5 ? 'sure.leaning' : 'sure.guess');
}
export function exitName(exit) {
  if (exit.embedder === 'encoder') return exit.layer ? t('exit.layer', { layer: number(exit.layer) }) : t('exit.embeddings');
  return exit.embedder === 'table' ? t('exit.table') : t('exit.own');
}
/** Why this route, in one sentence. */
export function reason(router, decision) {
  const { rule } = router.explain(decision);
  const label = (id) => router.routes.find((r) => r.id === id)?.label ?? id;
  const i = router.routes.findIndex((r) => r.id === decision.nearest);
  const { tau, margin } = router.exits[decision.exit].thresholds[i];
  const values = {
    nearest: label(decision.nearest), route: decision.label,
    score: number(decision.scores[0].score, 2), tau: number(tau, 2), lead: number(decision.margin, 2), margin: number(margin, 2),
  };
  if (rule === 'nearest') return t(decision.uncertain ? 'rule.uncertain' : 'rule.nearest', values);
  return t(`rule.${rule}`, values);
}
export const confidence = (decision) => t('confidence', { words: sureness(decision), percent: percent(decision.confidence) });

/** What went wrong and what to do about it. The technical message follows in brackets, so that it can be reported. */
export function trouble(error, where = 'load') {
  const code = typeof WebAssembly === 'undefined' ? 'SR_WASM' : error?.code ?? '';
  const known = {
    SR_WASM: 'error.wasm', SR_FETCH: 'error.fetch', SR_E_CHECKSUM: 'error.damaged', SR_E_TRUNCATED: 'error.damaged', SR_E_FORMAT: 'error.damaged',
    SR_INTEGRITY: 'error.damaged', SR_E_MAGIC: 'error.kind', SR_E_VERSION: 'error.version', SR_E_MEMORY: 'error.memory', SR_E_MODEL: 'error.model',
    SR_E_DIM: 'error.dimensions', SR_TIMEOUT: 'error.timeout', SR_RESPONSE: 'error.response', SR_ROUTES: 'error.routes',
  }[code];
  if (where === 'compile' && /^SR_E_(FORMAT|ZERO|LIMIT|UTF8|NAN)$/.test(code)) return { text: t('error.routes'), detail: `${code}: ${error.message}` };
  const key = where === 'own' && code === 'SR_FETCH' && !/answered \d/.test(error.message) ? 'error.cors' : known;
  return { text: t(key ?? 'error.other'), detail: `${code ? `${code}: ` : ''}${error?.message ?? error}` };
}
