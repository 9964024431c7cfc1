/* SmartRouter for LibreChat: the one script that a page needs.
 *
 *     <script defer src="smartrouter/plugin.js" data-lc-rum-bootstrap="true"></script>
 *
 * Classic, tiny, and the last one to speak up: everything else is loaded by dynamic import, and every rejection is
 * caught here, since LibreChat reloads the page on an unhandled rejection that mentions a dynamic import. The attribute keeps it
 * from taking a missing plugin.js for one of its own stale assets. What happened is in `window.smartrouter`. */
(function () {
  'use strict';
  if (window.smartrouter) return;
  // `make librechat` writes the folder of the build here: a browser never mixes the files of two versions.
  var FOLDER = '';
  var debug = { state: 'loading', version: FOLDER.replace('/', ''), messages: [], error: null };
  try {
    window.smartrouter = debug;
    var script = document.currentScript;
    var top = new URL('.', script && script.src ? script.src : new URL('smartrouter/', document.baseURI));
    // The address the page was opened with: LibreChat rewrites it while it starts.
    var opened = location.href;
    var code = new URL(FOLDER ? FOLDER + 'librechat/main.js' : 'main.js', top);
    import(code.href).then(
      function (main) {
        return main.start({ top: top, opened: opened, debug: debug });
      },
    ).then(
      null,
      function (error) {
        debug.state = 'failed';
        debug.error = String((error && error.message) || error);
      },
    );
  } catch (error) {
    debug.state = 'failed';
    debug.error = String(error);
  }
})();
