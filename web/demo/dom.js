// The few helpers that the parts share. Text always goes in as text.
const SVG = 'http://www.w3.org/2000/svg';

export const $ = (id) => document.getElementById(id);

/** h('button.main', { type: 'button', onclick }, 'text', node, …); null and false children are left out. */
export function h(what, props = {}, ...children) {
  const [tag, ...classes] = what.split('.');
  const node = document.createElement(tag || 'div');
  if (classes.length) node.className = classes.join(' ');
  set(node, props);
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}
export function set(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'class') node.className = value;
    else if (name.startsWith('--')) node.style.setProperty(name, value);
    else if (name in node && typeof value !== 'string' && !name.startsWith('aria')) node[name] = value;
    else if (name === 'value') node.value = value;
    else if (value === false || value === null || value === undefined) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? '' : value);
  }
  return node;
}
export function icon(id, className) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  if (className) svg.setAttribute('class', className);
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${id}`);
  svg.append(use);
  return svg;
}
export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}
/** Calls back once things have been quiet for so long. */
export function debounce(ms, fn) {
  let timer;
  const run = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...args), ms);
  };
  run.cancel = () => clearTimeout(timer);
  return run;
}
export function save(bytes, name, type) {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const a = h('a', { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h('textarea', { class: 'visually-hidden', value: text, 'aria-hidden': 'true', tabindex: '-1' });
    document.body.append(area);
    area.select();
    const done = document.execCommand?.('copy') ?? false;
    area.remove();
    return done;
  }
}

// ---- routes' colours and shapes: the fallback is slate, the others take turns
const SHAPES = 6, COLOURS = 7;
export function dress(routes) {
  const out = new Map();
  let n = 0;
  for (const route of routes) {
    if (route.fallback) out.set(route.id, { colour: 0, shape: 0 });
    else out.set(route.id, { colour: 1 + (n % COLOURS), shape: (1 + n) % SHAPES }), n++;
  }
  return out;
}
export const shapeOf = (look) => icon(`s${look?.shape ?? 0}`, `mark-shape c${look?.colour ?? 0}`);
