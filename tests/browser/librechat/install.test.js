// The three ways of installing, each really run, as README.md words them; and the self-test page.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Visit, browsers, double, packed, root, wait } from './harness.js';
import { TAG, serve } from './server.js';

const out = join(packed, '..');
const fresh = () => mkdtempSync(join(tmpdir(), 'smartrouter-'));
const plain = readFileSync(new URL('page/index.html', import.meta.url), 'utf8').replace('<!--tag-->', '');
const version = JSON.parse(readFileSync(join(packed, /FOLDER = '([^']+)'/.exec(readFileSync(join(packed, 'plugin.js'), 'utf8'))[1], 'librechat/files.json'))).version;
const line = (text) => text.match(/<script[^>]*smartrouter\/plugin\.js[^>]*>/g) || [];
const dist = (folder, html = plain) => {
  const to = join(folder, 'client/dist');
  mkdirSync(to, { recursive: true });
  writeFileSync(join(to, 'index.html'), html);
  return to;
};
async function started(child) {
  let text = '';
  for await (const part of child.stdout) if (/\d+\n/.test((text += part))) return Number(text);
  throw new Error('it did not start');
}
const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

describe('preload hook', () => {
  const hook = join(out, 'preload.cjs');
  it('adds one tag to the page that a backend reads at its start, and changes no file', async () => {
    const folder = fresh();
    const to = dist(folder);
    cpSync(packed, join(to, 'smartrouter'), { recursive: true });
    const child = spawn(process.execPath, [new URL('host.cjs', import.meta.url).pathname, to], { env: { ...process.env, NODE_OPTIONS: `--require ${hook}` }, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const base = `http://127.0.0.1:${await started(child)}`;
      for (const path of ['/', '/c/new']) {
        const html = await (await fetch(base + path)).text();
        assert.deepEqual(line(html), [`<script defer src="smartrouter/plugin.js?v=${version}" data-lc-rum-bootstrap="true">`]);
        assert.ok(html.indexOf('smartrouter/plugin.js') < html.indexOf('</head>'));
      }
      for (const [path, type] of [['plugin.js', 'text/javascript'], ['smartrouter.json', 'application/json'], [`${version}/smartrouter.js`, 'text/javascript'], ['check.html', 'text/html']]) {
        const response = await fetch(`${base}/smartrouter/${path}`);
        assert.deepEqual([response.status, response.headers.get('content-type')], [200, type], path);
      }
      assert.equal(readFileSync(join(to, 'index.html'), 'utf8'), plain);
    } finally {
      child.kill();
      rmSync(folder, { recursive: true });
    }
  });
  it('is silent and without effect elsewhere: other files, other programs, npm', () => {
    const folder = fresh();
    const to = dist(folder);
    writeFileSync(join(folder, 'index.html'), plain);
    writeFileSync(join(to, 'other.html'), plain);
    const run = (code) => execFileSync(process.execPath, ['-e', code], { env: { ...process.env, NODE_OPTIONS: `--require ${hook}` } }).toString();
    const read = (file, how = "'utf8'") => `process.stdout.write(require('fs').readFileSync(${JSON.stringify(file)}, ${how}).toString())`;
    assert.equal(run(read(join(folder, 'index.html'))), plain, 'not in a dist folder');
    assert.equal(run(read(join(to, 'other.html'))), plain);
    writeFileSync(join(to, 'index.html'), '<html><head></head><body>another program</body></html>');
    assert.equal(line(run(read(join(to, 'index.html')))).length, 0, 'not LibreChat\'s page');
    writeFileSync(join(to, 'index.html'), plain);
    assert.equal(line(run(read(join(to, 'index.html'), 'undefined'))).length, 1, 'as bytes');
    writeFileSync(join(to, 'index.html'), plain.replace('</head>', `${TAG}</head>`));
    assert.equal(line(run(read(join(to, 'index.html')))).length, 1, 'once');
    assert.equal(run("try { require('fs').readFileSync('/no/dist/index.html') } catch (error) { process.stdout.write(error.code) }"), 'ENOENT');
    assert.match(execFileSync('npm', ['--version'], { env: { ...process.env, NODE_OPTIONS: `--require ${hook}` } }).toString(), /^\d+\.\d+\.\d+\n$/);
    rmSync(folder, { recursive: true });
  });
});

describe('start-up edit', () => {
  it('puts the tag and the folder in, any number of times, over an older version, and takes them out', () => {
    const folder = fresh();
    const to = dist(folder, plain.replace('</head>', '<script defer src="smartrouter/plugin.js?v=old" data-lc-rum-bootstrap="true"></script></head>'));
    chmodSync(join(to, 'index.html'), 0o640);
    const page = () => readFileSync(join(to, 'index.html'), 'utf8');
    const run = (...words) => execFileSync(join(out, 'install.sh'), words).toString();
    for (let i = 0; i < 3; i++) {
      run(to);
      assert.deepEqual(line(page()), [`<script defer src="smartrouter/plugin.js?v=${version}" data-lc-rum-bootstrap="true">`]);
      if (i === 0) writeFileSync(join(to, 'smartrouter/smartrouter.json'), '{ "mode": "every" }');
    }
    assert.equal(statSync(join(to, 'index.html')).mode & 0o777, 0o640);
    assert.equal(readFileSync(join(to, 'smartrouter/smartrouter.json'), 'utf8'), '{ "mode": "every" }', 'settings stay');
    assert.ok(existsSync(join(to, 'smartrouter/plugin.js')));
    run('--remove', to);
    assert.equal(page(), plain);
    assert.equal(existsSync(join(to, 'smartrouter')), false);
    rmSync(folder, { recursive: true });
  });
  it('says what is missing and changes nothing', () => {
    const folder = fresh();
    for (const words of [[], ['/nowhere'], [folder]])
      assert.throws(() => execFileSync(join(out, 'install.sh'), words, { stdio: 'pipe' }), /client\/dist folder/);
    const to = dist(folder, 'no head');
    assert.throws(() => execFileSync(join(out, 'install.sh'), [to], { stdio: 'pipe' }), /has no <\/head>/);
    assert.equal(readFileSync(join(to, 'index.html'), 'utf8'), 'no head');
    assert.equal(existsSync(join(to, 'smartrouter')), false);
    rmSync(folder, { recursive: true });
  });
});

describe('nginx, and the page behind it', () => {
  let folder, host, nginx, base, browser;
  before(async () => {
    folder = fresh();
    host = await serve(packed, { tag: '' });
    const port = await freePort();
    cpSync(out, join(folder, 'smartrouter-librechat'), { recursive: true });
    const own = (text) => text.replaceAll('/srv/smartrouter-librechat', join(folder, 'smartrouter-librechat'));
    const at = join(folder, 'smartrouter-librechat/nginx.conf');
    writeFileSync(at, own(readFileSync(at, 'utf8')));
    // the whole block from the README, with our ports and paths
    const block = own(/```nginx\n(.*?)```/s.exec(readFileSync(join(out, 'README.md'), 'utf8'))[1])
      .replace('listen 80', `listen 127.0.0.1:${port}`).replace('http://127.0.0.1:3080', host.url.replace('localhost', '127.0.0.1'));
    for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'conf'), `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1; user root;
      events { worker_connections 64; }
      http { access_log off; gzip on; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
        uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi; ${block} }`);
    nginx = spawn('/usr/sbin/nginx', ['-e', join(folder, 'error.log'), '-p', folder, '-c', join(folder, 'conf')], { stdio: 'inherit' });
    base = `http://localhost:${port}`;
    for (let i = 0; i < 100 && !(await fetch(base).then(() => true, () => false)); i++) await wait(30);
    browser = await browsers.chromium();
  });
  after(async () => {
    await browser?.close();
    nginx?.kill();
    await host?.close();
    await wait(100);
    rmSync(folder, { recursive: true, force: true });
  });
  it('adds one tag although the host would compress, and serves the files with their types', async () => {
    const html = await (await fetch(`${base}/c/new`)).text();
    assert.deepEqual(line(html), [`<script defer src="smartrouter/plugin.js?v=${version}" data-lc-rum-bootstrap="true">`]);
    for (const [path, type, cache] of [['plugin.js', 'text/javascript', 'public'], ['smartrouter.json', 'application/json', 'no-cache'], [`${version}/wasm/matcher-scalar.wasm`, 'application/wasm', 'public']]) {
      const response = await fetch(`${base}/smartrouter/${path}`);
      assert.deepEqual([response.status, response.headers.get('content-type')], [200, type], path);
      assert.ok(response.headers.get('cache-control').startsWith(cache), path);
    }
    assert.equal((await fetch(`${base}/smartrouter/none.js`)).status, 404);
    assert.equal(readFileSync(join(folder, 'error.log'), 'utf8').split('\n').filter((one) => /emerg|alert|crit/.test(one)).join(), '');
  });
  it('routes a message through it', async () => {
    const page = await browser.page({});
    await page.route(/\/smartrouter\.js$/, (route) => route.fulfill({ body: double, contentType: 'text/javascript' }));
    await page.goto(`${base}/c/new`);
    const at = new Visit(page, host);
    await at.until(() => window.smartrouter?.now?.().router === 'ready');
    const post = await at.send('debug this');
    assert.equal(post.spec, 'deep-engineering');
    assert.equal(host.streams, 1);
    await page.shut();
  });
  it('the self-test page finds all in order, and says what is not', async () => {
    const look = async (change) => {
      Object.assign(host, { startup: { modelSpecs: { list: [] } } }, change);
      const page = await browser.page({});
      await page.route(/\/smartrouter\.js$/, (route) => route.fulfill({ body: double, contentType: 'text/javascript' }));
      if (change.route) await page.route(...change.route);
      await page.goto(`${base}/smartrouter/check.html`);
      const at = new Visit(page, host);
      await at.until(() => Boolean(document.documentElement.dataset.done), null, 20000);
      const rows = await at.run(() => window.results);
      await page.shut();
      return Object.fromEntries(rows.map(({ name, kind, text }) => [name, `${kind}: ${text}`]));
    };
    const list = ['general-chat', 'creative-writing', 'deep-engineering', 'logic-science', 'agents-tools'].map((name) => ({ name, default: name === 'general-chat' }));
    const good = await look({ startup: { modelSpecs: { list } } });
    for (const name of ['Plugin', 'Page', 'Policy (CSP)', 'WebAssembly', 'Configuration', 'Router', 'Model specs']) assert.match(good[name], /^ok/, `${name}: ${good[name]}`);
    const bad = await look({ startup: { modelSpecs: { list: list.slice(1) } }, csp: "script-src 'self'", route: [/smartrouter\.json$/, (route) => route.fulfill({ body: '{ "mode": "x" }', contentType: 'application/json' })] });
    assert.match(bad['Model specs'], /^bad: .*"general-chat", which librechat.yaml does not have/);
    assert.match(bad['Configuration'], /^bad: .*"mode" must be one of/);
    assert.match(bad['Policy (CSP)'], /wasm-unsafe-eval/);
    host.csp = undefined;
  });
});

describe('the folder', () => {
  it('is whole: every file that a module names is there, none names one outside', async () => {
    const { readdirSync } = await import('node:fs');
    const base = join(packed, version);
    const files = readdirSync(base, { recursive: true }).map(String).filter((name) => name.endsWith('.js'));
    assert.ok(files.length > 20);
    for (const name of files) {
      const text = readFileSync(join(base, name), 'utf8');
      for (const [, to] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
        if (/node\.js$|compile\.js$|cli\.js$/.test(to)) continue; // not for pages
        assert.ok(existsSync(join(base, name, '..', to)), `${name} imports ${to}`);
      }
      assert.ok(!/\beval\s*\(|new Function|innerHTML|insertAdjacentHTML|document\.write/.test(text), name);
    }
  });
  it('is made again, byte for byte, under the same version', () => {
    const folder = fresh();
    const assets = ['five-routes.srr', 'five-routes.srt', 'smartrouter-model.srm'].map((name) => join(packed, version, name)).filter(existsSync);
    execFileSync(process.execPath, [join(root, 'web/librechat/pack.mjs'), folder, join(packed, version, 'wasm'), ...assets]);
    assert.equal(readFileSync(join(folder, 'smartrouter/plugin.js'), 'utf8'), readFileSync(join(packed, 'plugin.js'), 'utf8'));
    rmSync(folder, { recursive: true });
  });
});
