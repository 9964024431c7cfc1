// The second way to switch: through the model menu, unseen. Slower (a third of a second), and specs in groups are out of reach.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Opens the menu, clicks the option with one of these labels, puts focus and selection back. Resolves to whether it was there. */
export async function selectByMenu(button, labels, until) {
  const focused = document.activeElement;
  const selection = focused instanceof HTMLTextAreaElement ? [focused.selectionStart, focused.selectionEnd] : null;
  const hide = hideMenus();
  try {
    const option = () => [...document.querySelectorAll('[role="listbox"] [role="option"]')].find((item) => labels.includes(labelOf(item)));
    if (!option()) button.click();
    let found = option();
    while (!found && performance.now() < until) {
      await pause(10);
      found = option();
      if (!found && document.querySelector('[role="listbox"] [role="option"]')) {
        await pause(30); // all options mount together: one more look, then it is not among them
        found = option();
        break;
      }
    }
    if (found) found.click();
    else closeMenu(button);
    return Boolean(found);
  } finally {
    for (let i = 0; i < 20 && document.querySelector('[role="listbox"]'); i++) await pause(10);
    hide();
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
    if (selection && focused.isConnected) focused.setSelectionRange(...selection);
  }
}

const labelOf = (option) => (option.querySelector('span.truncate') || option).textContent.trim();

function closeMenu(button) {
  const menu = document.querySelector('[role="listbox"]');
  if (!menu) return;
  menu.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }));
  if (document.querySelector('[role="listbox"]')) button.click();
}

// Invisible, but there: a hidden element would not take the click in every browser.
function hideMenus() {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('[role="listbox"], [role="dialog"]:has([role="listbox"]) { opacity: 0 !important; pointer-events: none !important }');
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  return () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((item) => item !== sheet);
  };
}
