// Starts the page: language, theme, the files, the router; the parts further down load when they come near.
import './policy.js';
import { $ } from './dom.js';
import { LANGUAGES, current, onLanguage, setLanguage, startLanguage, t } from './i18n.js';
import { recall, remember } from './storage.js';
import { Session } from './session.js';
import { Try } from './try.js';
import { PromptMap } from './map.js';
import { restore } from './restore.js';

const home = new URL('../', import.meta.url);
const page = { home, parts: {} };

function theme() {
  const root = document.documentElement;
  const set = (value) => {
    if (value) root.dataset.theme = value;
    else delete root.dataset.theme;
    page.map?.draw();
  };
  set(recall('theme'));
  $('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    const next = dark ? 'light' : 'dark';
    remember('theme', next);
    set(next);
  });
}

async function language() {
  await startLanguage();
  $('language').value = current();
  $('language').addEventListener('change', ({ target }) => LANGUAGES.includes(target.value) && setLanguage(target.value));
}

/** site.json says which files this site has, and how large they are. */
async function files() {
  const response = await fetch(new URL('site.json', home));
  if (!response.ok) throw Object.assign(new Error(`site.json: status ${response.status}`), { code: 'SR_FETCH' });
  const site = await response.json();
  const urls = {}, sizes = {};
  for (const [name, file] of Object.entries(site.use)) (urls[name] = new URL(file.path, home).href), (sizes[name] = file.bytes);
  return { site, urls, sizes };
}

/** A part's code comes when the part comes near, or is asked for by its link. */
function lazily(id, load) {
  const section = $(id);
  let started;
  const start = () => (started ??= load().then(({ start: begin }) => (page.parts[id] = begin(page))));
  const watch = new IntersectionObserver((seen) => {
    if (!seen.some((s) => s.isIntersecting)) return;
    watch.disconnect();
    start();
  }, { rootMargin: '500px 0px' });
  watch.observe(section);
  addEventListener('beforeprint', start);
  return start;
}

function whereAmI() {
  const links = [...document.querySelectorAll('.parts a')];
  const watch = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      const link = links.find((a) => a.hash === `#${target.id}`);
      if (isIntersecting) for (const a of links) a === link ? a.setAttribute('aria-current', 'true') : a.removeAttribute('aria-current');
    }
  }, { rootMargin: '-30% 0px -60% 0px' });
  for (const section of document.querySelectorAll('main > section')) watch.observe(section);
}

function report({ urls }) {
  const write = () => {
    const box = $('report-body');
    if (!urls.report) return;
    const link = document.createElement('a');
    link.href = urls.report;
    link.className = 'button main';
    link.textContent = t('report.open');
    box.replaceChildren(link);
  };
  write();
  onLanguage(write);
}

async function offline() {
  if (!('serviceWorker' in navigator)) return;
  try {
    const registration = await navigator.serviceWorker.register(new URL('sw.js', home));
    const offer = (worker) => {
      $('update').hidden = false;
      $('update-now').onclick = () => {
        navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
        worker.postMessage('now');
      };
    };
    if (registration.waiting && navigator.serviceWorker.controller) offer(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker?.addEventListener('statechange', () => {
        if (worker.state === 'installed' && navigator.serviceWorker.controller) offer(worker);
      });
    });
  } catch {
    // no storage, or not a secure page: the page works, but not offline
  }
}

async function main() {
  theme();
  whereAmI();
  const [found] = await Promise.all([files().catch((error) => ({ error })), language()]);
  if (found.error) {
    const { trouble } = await import('./words.js');
    const { text, detail } = trouble(found.error);
    $('problem').hidden = false;
    $('problem').textContent = `${text} ${detail}`;
    return;
  }
  Object.assign(page, found);
  const session = (page.session = new Session(page.urls, page.sizes));
  const trier = (page.try = new Try(session));
  page.map = new PromptMap(session, trier);
  $('version').textContent = page.site.version;
  report(page);
  await restore(session);
  await session.start().catch(() => {}); // shown
  trier.fromLink();
  // Only now: a high window has the next part near at once, and the first route comes before it.
  lazily('edit', () => import('./edit.js'));
  lazily('measure', () => import('./measure.js'));
  lazily('own', () => import('./own.js'));
  document.documentElement.dataset.ready = 'yes';
  (window.requestIdleCallback ?? setTimeout)(offline);
}
main();
