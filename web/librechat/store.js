// What this device remembers, all under `smartrouter.`. Blocked or full storage is the same as an empty one.

const PREFIX = 'smartrouter.';

export function read(name, otherwise, storage = 'localStorage') {
  try {
    const text = globalThis[storage].getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function write(name, value, storage = 'localStorage') {
  try {
    if (value === undefined) globalThis[storage].removeItem(PREFIX + name);
    else globalThis[storage].setItem(PREFIX + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** LibreChat's own setting: may a conversation go on at another endpoint? It is on unless the user turned it off. */
export function modularChat() {
  try {
    return localStorage.getItem('modularChat') !== 'false';
  } catch {
    return true;
  }
}
