// The host's rule about stale assets: a script that fails to load, or an unhandled rejection that mentions a dynamic import,
// means that a new version was deployed: reload once a minute. Counted, so that tests can see it.
(function () {
  var loads = Number(sessionStorage.getItem('loads') || 0) + 1;
  sessionStorage.setItem('loads', loads);
  function reload() {
    var last = Number(sessionStorage.getItem('reloaded') || 0);
    if (Date.now() - last < 60000) return;
    sessionStorage.setItem('reloaded', Date.now());
    location.reload();
  }
  window.addEventListener('error', function (event) {
    var node = event.target;
    if (node && node.tagName === 'SCRIPT' && node.getAttribute('data-lc-rum-bootstrap') !== 'true') reload();
  }, true);
  window.addEventListener('unhandledrejection', function (event) {
    if (/dynamically imported module|dynamic import|module script/i.test(String(event.reason && event.reason.message))) reload();
  });
  window.pageErrors = [];
  window.addEventListener('error', function (event) {
    if (event.message) window.pageErrors.push(event.message);
  });
  window.addEventListener('unhandledrejection', function (event) {
    window.pageErrors.push('unhandled: ' + String(event.reason));
  });
})();
