// Uses the declarations as a caller would; tsc --strict must accept it. Never run.
import { SmartRouter, type Decision, type SmartRouterError } from '../../web/smartrouter.js';
import { http } from '../../web/embedders/http.js';
import { encoder } from '../../web/embedders/encoder.js';

export async function use(signal: AbortSignal): Promise<string> {
  const router = await SmartRouter.load({ asset: 'a.srr', table: new URL('https://host/a.srt'), model: new Uint8Array(4), signal });
  router.addEventListener('state', (event) => {
    if (event.state === 'failed') event.retry().catch((error: SmartRouterError) => console.log(error.code));
  });
  const early: Decision | null = router.preview('debug this segf');
  const decision = await router.route('debug this segfault', { maxExit: 2, budgetMs: 150, keep: true });
  const { sentence } = router.explain(decision);
  const learned = await router.learn('my text', decision.route, { weight: 2 });
  router.unlearn(learned.id);
  await router.importLearned(router.exportLearned());
  router.match(new Float32Array(384), 0);
  // @ts-expect-error a prompt is a string
  await router.route(5);
  // @ts-expect-error no such variant
  await SmartRouter.load({ asset: 'a.srr', variant: 'avx2' });
  // @ts-expect-error read-only
  decision.score = 1;

  const remote = http({ url: 'https://host/v1', model: 'm', headers: async () => ({ authorization: 'Bearer x' }) });
  const asset = await SmartRouter.compile({ name: 'n', fallback: 'a', routes: [{ id: 'a', utterances: ['b', { text: 'c' }] }] }, remote, { rows: 'f32' });
  const other = await SmartRouter.load({ asset, embedder: remote });
  await SmartRouter.load({ asset, embedder: async (text) => new Float32Array(text.length) });
  const own = await encoder({ model: 'm.srm', layer: 9 });
  const vectors = await own.exits('x', [0, 1, 9]);
  own.dispose();
  router.dispose();
  return sentence + other.routes[0].label + vectors.length + (early?.why[0].text ?? '');
}
