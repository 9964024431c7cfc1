// The part of the host's backend that a preload hook meets: index.html is read once, synchronously, and sent with no-store.
const fs = require('fs');
const http = require('http');
const path = require('path');
const dist = process.argv[2];
const page = fs.readFileSync(path.resolve(dist, 'index.html'), 'utf8');
const TYPES = { '.js': 'text/javascript', '.json': 'application/json', '.wasm': 'application/wasm', '.html': 'text/html', '.css': 'text/css' };
http
  .createServer((request, response) => {
    const name = path.join(dist, decodeURIComponent(new URL(request.url, 'http://h').pathname));
    if (path.extname(name) && fs.existsSync(name)) {
      response.writeHead(200, { 'Content-Type': TYPES[path.extname(name)] || 'application/octet-stream' });
      return response.end(fs.readFileSync(name));
    }
    response.writeHead(path.extname(name) ? 404 : 200, { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' });
    response.end(path.extname(name) ? '' : page);
  })
  .listen(0, '127.0.0.1', function () {
    console.log(this.address().port);
  });
