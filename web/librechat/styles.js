// Constructed style sheets: a policy on inline styles does not touch them. LibreChat's variables cross into a shadow root; the
// fallbacks are for releases that rename them.

export const CHIP = `
:host { all: initial; display: flex; flex: 0 1 auto; min-inline-size: 0; max-inline-size: 15rem; font-family: inherit; direction: inherit }
:host([hidden]) { display: none }
button {
  all: unset; box-sizing: border-box; display: inline-flex; align-items: center; gap: .5rem; block-size: 36px; min-inline-size: 36px;
  max-inline-size: 100%; padding-inline: .75rem; border: 1px solid var(--border-medium, #8884); border-radius: 18px; cursor: pointer;
  color: var(--text-secondary, #555); font: 500 14px/1.2 var(--sr-font, system-ui, sans-serif);
  -webkit-tap-highlight-color: transparent; transition: background-color .12s }
.dark button { color: var(--text-secondary, #ccc) }
button:hover { background: var(--surface-hover, #8882) }
button:focus-visible { outline: 2px solid var(--ring-primary, #777); outline-offset: 2px }
span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
svg { flex: none; inline-size: 14px; block-size: 14px }
.sure svg { color: #15803d } .fair svg { color: #b45309 } .unsure svg, .none svg { color: var(--text-secondary, #666) }
.dark.sure svg { color: #4ade80 } .dark.fair svg { color: #fbbf24 }
@media (max-width: 480px) { :host { max-inline-size: 9rem } button { padding-inline: .625rem; gap: .375rem } }
@media (prefers-reduced-motion: reduce) { button { transition: none } }
@media (forced-colors: active) { button { border-color: ButtonText } }
`;

export const MENU = `
:host { all: initial; direction: inherit }
.live { position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.menu {
  position: fixed; z-index: 60; box-sizing: border-box; min-inline-size: 15rem; max-inline-size: min(22rem, calc(100vw - 16px));
  max-block-size: min(30rem, calc(100vh - 16px)); overflow: auto; padding: 6px; border: 1px solid var(--border-medium, #ccc);
  border-radius: 14px; background: var(--surface-secondary, #fff); color: var(--text-primary, #111); box-shadow: 0 8px 28px #0003;
  font: 400 14px/1.35 var(--sr-font, system-ui, sans-serif); outline: none; animation: rise .12s }
.dark .menu { background: var(--surface-secondary, #212121); color: var(--text-primary, #eee); border-color: var(--border-medium, #444) }
@keyframes rise { from { opacity: 0; transform: translateY(4px) } }
@media (prefers-reduced-motion: reduce) { .menu { animation: none } }
[role^=menuitem], .back {
  box-sizing: border-box; display: flex; align-items: center; gap: .5rem; min-block-size: 36px; inline-size: 100%; padding: 6px 10px;
  border: 0; border-radius: 9px; background: none; color: inherit; font: inherit; text-align: start; cursor: pointer }
[role^=menuitem]:hover, .back:hover { background: var(--surface-hover, #8882) }
[role^=menuitem]:focus-visible, .back:focus-visible { outline: 2px solid var(--ring-primary, #777); outline-offset: -2px }
.mark { flex: none; inline-size: 1em; text-align: center }
.grow { flex: 1; min-inline-size: 0; overflow-wrap: anywhere }
.number { flex: none; color: var(--text-secondary, #555); font-variant-numeric: tabular-nums; font-size: 13px }
.head { padding: 8px 10px 4px; color: var(--text-secondary, #555); font-size: 12px; font-weight: 600 }
.note { padding: 6px 10px; color: var(--text-secondary, #555); font-size: 13px }
.dark .head, .dark .note, .dark .number { color: var(--text-secondary, #cdcdcd) }
hr { margin: 6px 10px; border: 0; border-block-start: 1px solid var(--border-light, #8883) }
ul { margin: 0; padding: 0 10px 6px; list-style: none }
li { display: flex; gap: .75rem; padding-block: 4px }
`;

export function adopt(root, css) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
  } catch {
    const style = document.createElement('style');
    style.textContent = css;
    root.append(style);
  }
}

/** An element with attributes, properties and children; text is always text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const isDark = () => document.documentElement.classList.contains('dark');
export const themeClass = () => (isDark() ? 'dark' : '');
