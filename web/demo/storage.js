// Small settings in localStorage, the edited routes in IndexedDB. Either may be blocked: then the page forgets, and says so.
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(`smartrouter.${key}`);
    else localStorage.setItem(`smartrouter.${key}`, value);
  } catch {
    // blocked or full
  }
}
export function recall(key) {
  try {
    return localStorage.getItem(`smartrouter.${key}`);
  } catch {
    return null;
  }
}

let opened;
function open() {
  return (opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('smartrouter-demo', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('kept');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  }));
}
const run = async (mode, use) => {
  const db = await open();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction('kept', mode);
    const request = use(transaction.objectStore('kept'));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
};
/** Rejects when storage is blocked. */
export const keep = (key, value) => run('readwrite', (store) => (value === null ? store.delete(key) : store.put(value, key)));
export const kept = (key) => run('readonly', (store) => store.get(key));
