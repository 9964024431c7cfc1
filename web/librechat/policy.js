// What happens to a message: pure rules, no page. Each answer says why, for the chip, the log and the tests.
//
//   { go: 'pass', why }            LibreChat sends it untouched
//   { go: 'decide' }               a decision is needed first
//   { go: 'switch', route, target } hold, switch, send

/** Before any decision: is there a reason to keep out? context: { state, record, auto, manual, pin, mode, text } */
export function mayRoute({ state, auto, manual, pin, mode, text }) {
  const pass = (why) => ({ go: 'pass', why });
  if (!state) return pass('unknown');
  if (state.busy) return pass('busy'); // also an agent's question that the composer answers
  if (!text.trim()) return pass('empty');
  if (state.isNew && state.files > 0) return pass('files'); // switching a new chat would drop them
  if (pin) return { go: 'decide' };
  if (!auto) return pass('off');
  if (manual) return pass('manual');
  if (!state.isNew && mode === 'first') return pass('first');
  return { go: 'decide' };
}

/** With a decision (or a pinned route). context adds { decision, targets, missing, config, adapter, modular } */
export function whereTo({ state, record, pin, mode, decision, targets, missing, config, adapter, modular }) {
  const pass = (why, more) => ({ go: 'pass', why, ...more });
  const route = pin || decision?.route;
  if (!route) return pass('undecided');
  if (!pin && decision.confidence < config.confidence.route) return pass('unsure');
  const target = targets[route];
  if (!target || missing.has(route)) return pass('preview', { route });
  if (adapter.isAt(state, target)) return pass('there', { route });
  if (!adapter.wayTo(target)) return pass('preview', { route });
  if (!state.isNew) {
    if (!pin && mode === 'sure') {
      if (decision.confidence < config.confidence.sure) return pass('unsure');
      if (record.vote !== route) return pass('once', { route }); // it takes two in a row
    }
    const { other, assistants } = adapter.crosses(state, target);
    if (assistants || (other && !modular)) return pass('endpoint', { route });
  }
  return { go: 'switch', route, target };
}

/** What two messages in a row say: to be called once a message has gone. */
export function vote(record, decision, config) {
  if (!record) return;
  record.vote = decision && decision.confidence >= config.confidence.sure ? decision.route : '';
}

export function toneOf(decision, config) {
  if (!decision) return 'none';
  if (decision.confidence >= config.confidence.sure && !decision.uncertain) return 'sure';
  return decision.confidence >= config.confidence.route ? 'fair' : 'unsure';
}
