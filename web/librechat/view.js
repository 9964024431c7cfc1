// What the chip and its menu say, from what is known. It only reads.
import { mayRoute, toneOf, whereTo } from './policy.js';
import { write } from './store.js';

const hidden = { hidden: true };
const percent = (share, language) => new Intl.NumberFormat(language, { style: 'percent' }).format(share);

export function viewOf(auto) {
  const { decisions, adapter, texts, config } = auto;
  const say = (name, values) => texts.say(name, values);
  const state = adapter.composer() ? adapter.state() : null;
  if (decisions.state !== 'ready' || !state || !auto.targets) return hidden;
  const decision = decisions.text.trim() ? decisions.decision : null;
  const context = { ...auto.context(state, decision), text: decisions.text };
  if (state.isNew && auto.newManual !== context.manual) {
    auto.newManual = context.manual;
    write('new', context.manual, 'sessionStorage');
  }
  const finish = (kind, label, tone, hint) => ({
    hidden: false,
    kind,
    label,
    tone,
    hint,
    spoken: kind === 'manual' ? `${label}. ${say('chipManual')}` : `${say('chip', { label })}${hint ? `. ${hint}` : ''}`,
    announce: kind === 'auto' && tone !== 'none' ? hint : '',
  });
  if (auto.notice && !decisions.text) return finish('auto', say('auto'), 'none', say(auto.notice));
  if (!auto.pin && !auto.on) return finish('off', say('off'), 'none', '');
  if (!auto.pin && context.manual) return finish('manual', say('manual'), 'none', say('chipManual'));

  const may = mayRoute(context);
  const current = currentLabel(auto, state);
  const stays = (why, tone = 'none') => finish('auto', current || say('auto'), tone, current ? say(why, { route: current }) : '');
  if (may.why === 'empty' || may.why === 'busy') return finish('auto', say('auto'), 'none', '');
  if (may.why === 'files') return stays('staysFiles');
  if (may.why === 'first') return stays('stays');
  if (may.go !== 'decide') return finish('auto', say('auto'), 'none', '');
  if (!auto.pin && !decision) return finish('auto', say(decisions.router.state?.state === 'loading' ? 'loading' : 'auto'), 'none', '');

  const plan = whereTo(context);
  const tone = auto.pin ? 'sure' : toneOf(decision, config);
  const label = auto.labelOf(auto.pin || decision.route);
  const goes = auto.pin ? say('goes', { route: label }) : `${say('goes', { route: label })} (${say(tone)})`;
  if (plan.go === 'switch' || plan.why === 'there') return finish('auto', label, tone, goes);
  if (plan.why === 'preview') return finish('auto', `${label} ?`, tone, say('choose', { route: label }));
  if (plan.why === 'endpoint') return stays('staysEndpoint');
  return stays('stays', 'unsure');
}

function currentLabel({ adapter }, state) {
  return adapter.specNamed(state.spec)?.label || state.spec || state.model;
}

export function menuModel(auto) {
  const { decisions, texts, view } = auto;
  const { router } = decisions;
  const decision = decisions.text.trim() ? decisions.decision : null;
  const shareOf = new Map((decision?.scores || []).map(({ route, score }) => [route, score]));
  return {
    kind: view.kind,
    pin: auto.pin,
    note: view.hint,
    routes: router.routes.map(({ id }) => ({
      id,
      label: auto.labelOf(id),
      share: decision?.route === id ? percent(decision.confidence, texts.language) : '',
    })),
    canLearn: Boolean(decisions.text.trim()),
    learned: decisions.learnedCount,
    log: auto.log.on,
    why: decision && {
      label: auto.labelOf(decision.route),
      fallback: decision.belowThreshold,
      summary: `${texts.say('goes', { route: auto.labelOf(decision.route) })}: ${percent(decision.confidence, texts.language)}`,
      scores: [...shareOf].map(([route, score]) => ({ label: auto.labelOf(route), score: score.toFixed(2) })),
      nearest: (decision.why || []).slice(0, 5).map(({ text, route, similarity }) => ({ text, label: auto.labelOf(route), score: similarity.toFixed(2) })),
    },
  };
}
