// Trusted Types: workers and the service worker may be started from this page's own folder; no HTML is ever made from text.
const home = new URL('../', import.meta.url);
if (globalThis.trustedTypes?.createPolicy)
  trustedTypes.createPolicy('default', {
    createScriptURL(url) {
      const full = new URL(url, globalThis.document?.baseURI ?? location.href);
      if (full.origin === home.origin && full.pathname.startsWith(home.pathname)) return full.href;
      throw new TypeError(`a script from elsewhere: ${full.origin}`);
    },
  });
