/* Puts SmartRouter's tag into LibreChat's page, without changing a file:
 *
 *     NODE_OPTIONS="--require /smartrouter/preload.cjs"
 *
 * LibreChat's server reads client/dist/index.html once, synchronously, when it starts. This hook adds one line to what that
 * one read returns and does nothing else. NODE_OPTIONS also reaches npm and every other Node process: there, no file of that
 * name is read, so nothing happens. Whatever goes wrong, the file is returned as it is. */
'use strict';
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const path = require('node:path');

const TAG = '<script defer src="smartrouter/plugin.js?v=VERSION" data-lc-rum-bootstrap="true"></script>';
const read = fs.readFileSync;

function isPage(file) {
  const name = typeof file === 'string' ? file : file instanceof URL ? file.pathname : '';
  return path.basename(name) === 'index.html' && path.basename(path.dirname(name)) === 'dist';
}
function withTag(html) {
  if (!html.includes('</head>') || !html.includes('id="root"') || html.includes('smartrouter/plugin.js')) return html;
  return html.replace('</head>', () => `${TAG}</head>`);
}

fs.readFileSync = function readFileSync(file, ...rest) {
  const content = read.call(this, file, ...rest);
  try {
    if (!isPage(file)) return content;
    if (typeof content === 'string') return withTag(content);
    if (Buffer.isBuffer(content)) return Buffer.from(withTag(content.toString('utf8')));
  } catch {
    // as it is
  }
  return content;
};
syncBuiltinESMExports();
