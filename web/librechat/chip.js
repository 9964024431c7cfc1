// The chip: a foreign child of the composer's tool row, in a shadow root. React leaves it alone; when the row goes, it is put
// into the next one.
import { CHIP, adopt, element, themeClass } from './styles.js';

const NS = 'http://www.w3.org/2000/svg';

// Tone is a shape as well as a colour: full, half, empty; a hand for a person's own choice.
const SHAPES = {
  sure: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2z',
  fair: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zm0 1.6a4.4 4.4 0 0 0 0 8.8z',
  unsure: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zm0 1.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8z',
  none: 'M3 7.2h7.2L7.4 4.4l1.2-1.2L13.4 8l-4.8 4.8-1.2-1.2 2.8-2.8H3z',
  manual: 'M8 1.8a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM2.6 14c0-3 2.4-5 5.4-5s5.4 2 5.4 5z',
  off: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM4.9 4.1a4.4 4.4 0 0 0 6.9 6.9zm1.3-1.2 6.9 6.9a4.4 4.4 0 0 0-6.9-6.9z',
};

export class Chip {
  /** press(byKeyboard) */
  constructor({ press }) {
    this.host = document.createElement('smartrouter-chip');
    this.host.hidden = true;
    const root = this.host.attachShadow({ mode: 'open' });
    adopt(root, CHIP);
    this.label = element('span');
    this.svg = document.createElementNS(NS, 'svg');
    this.svg.setAttribute('viewBox', '0 0 16 16');
    this.svg.setAttribute('aria-hidden', 'true');
    this.path = document.createElementNS(NS, 'path');
    this.path.setAttribute('fill', 'currentColor');
    this.path.setAttribute('fill-rule', 'evenodd');
    this.svg.append(this.path);
    // type=button and outside of the form's tree: it can never submit. The focus stays in the text when it is pressed.
    this.button = element('button', {
      type: 'button',
      'aria-haspopup': 'menu',
      'aria-expanded': 'false',
      onpointerdown: (event) => event.preventDefault(),
      onmousedown: (event) => event.preventDefault(),
      onclick: (event) => press(event.detail === 0),
      onkeydown: (event) => {
        if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
        event.preventDefault();
        press(true);
      },
    }, this.svg, this.label);
    this.frame = element('div', { part: 'frame' }, this.button);
    this.frame.style.cssText = 'display:flex;min-inline-size:0;max-inline-size:100%';
    root.append(this.frame);
  }

  /** Into the tool row, before its spacer; or before the send button. Returns whether it is in the page. */
  mount({ form, textarea }, sendButton) {
    const { host } = this;
    if (host.isConnected && form.contains(host)) return true;
    const place = placeIn(form, sendButton);
    if (!place) return false;
    host.style.setProperty('--sr-font', getComputedStyle(textarea).fontFamily);
    place.row.insertBefore(host, place.before);
    return true;
  }
  unmount() {
    this.host.remove();
  }

  /** view: { hidden, kind, label, tone, spoken, hint, expanded } */
  render(view) {
    const { host, button, label, path, frame } = this;
    if (host.hidden !== view.hidden) host.hidden = view.hidden;
    if (view.hidden) return;
    const shape = SHAPES[view.kind === 'auto' ? view.tone : view.kind] || SHAPES.none;
    set(path, 'd', shape);
    if (label.textContent !== view.label) label.textContent = view.label;
    set(button, 'aria-label', view.spoken);
    set(button, 'title', view.hint);
    set(button, 'aria-expanded', String(Boolean(view.expanded)));
    // Manual: one press turns auto on again, so it is a switch there and a menu elsewhere
    if (view.kind === 'manual') {
      button.removeAttribute('aria-haspopup');
      set(button, 'aria-pressed', 'false');
    } else {
      set(button, 'aria-haspopup', 'menu');
      button.removeAttribute('aria-pressed');
    }
    const classes = `${themeClass()} ${view.tone || 'none'}`;
    if (frame.className !== classes) frame.className = classes;
  }
}

function set(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function placeIn(form, sendButton) {
  const row = sendButton?.closest('.items-between') || form.querySelector('.items-between') || rowOf(form, sendButton);
  if (!row) return null;
  const spacer = [...row.children].find((child) => child.classList.contains('mx-auto') && child.childElementCount === 0);
  const wrapper = [...row.children].find((child) => child.contains(sendButton));
  return { row, before: spacer || wrapper || null };
}
function rowOf(form, sendButton) {
  for (let node = sendButton?.parentElement; node && node !== form; node = node.parentElement)
    if (node.childElementCount > 1 && getComputedStyle(node).display.includes('flex')) return node;
  return null;
}
