// The native program as a person meets it: what it says, where it says it, and how it ends.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync, chmodSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { out, root } from './setup.js';

const program = fileURLToPath(new URL('smartrouter', out));
const model = fileURLToPath(new URL('build/model/smartrouter-model.srm', root));
const folder = mkdtempSync(`${tmpdir()}/smartrouter-cli-`);
const asset = `${folder}/small.srr`;
const small = {
  name: 'small',
  fallback: 'talk',
  embedder: { exits: [0, 1] },
  routes: [
    { id: 'talk', utterances: ['how are you', 'what shall I cook', 'tell me about Rome'] },
    { id: 'code', utterances: ['fix this bug in my code', 'write a function in C', 'why does my program crash'] },
  ],
};

function run(args, input = '') {
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  return { status, stdout, stderr };
}
const file = (name, content) => (writeFileSync(`${folder}/${name}`, content), `${folder}/${name}`);
const routesFile = (name, change) => {
  const copy = structuredClone(small);
  change(copy);
  return file(name, JSON.stringify(copy));
};
const route = (...more) => ['route', '--routes', asset, '--model', model, '--threads', '2', ...more];

before(() => {
  const made = run(['compile', file('small.json', JSON.stringify(small)), '-o', asset, '--model', model]);
  assert.equal(made.status, 0, made.stderr);
});

describe('help', () => {
  test('each command explains itself, with an example', () => {
    const { stdout, status } = run(['--help']);
    assert.equal(status, 0);
    const commands = [...stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map((m) => m[1]);
    assert.ok(commands.includes('route') && commands.includes('compile'));
    for (const command of commands) {
      const help = run([command, '--help']);
      assert.equal(help.status, 0, command);
      assert.match(help.stdout, new RegExp(`smartrouter ${command} `), command);
      assert.match(help.stdout, /examples?:/, command);
    }
  });
  test('wrong use says so and ends with 2', () => {
    for (const args of [[], ['rout'], ['route', '--nonsense'], ['route', '--why', 'many'], ['route', '--why'], ['compile'], ['inspect']]) {
      const { status, stderr, stdout } = run(args);
      assert.equal(status, 2, args.join(' '));
      assert.ok(stderr.length > 10 && stdout === '', args.join(' '));
    }
  });
});

describe('route files', () => {
  const refused = (path, ...expected) => {
    const { status, stderr } = run(['compile', path, '-o', `${folder}/never.srr`, '--model', model]);
    assert.equal(status, 3);
    for (const part of [path, ...expected]) assert.ok(stderr.includes(part), `${stderr} lacks ${part}`);
    assert.ok(!readdirSync(folder).some((name) => name.startsWith('never')), 'a refused compile leaves nothing');
  };
  test('a JSON error names file, line and column', () => {
    refused(file('broken.json', '{\n  "name": "x",\n  "routes": [,]\n}'), 'line 3, column 1');
    refused(file('cut.json', '{"name": "x", "routes": ['), 'ends too early');
    refused(file('latin1.json', Buffer.from('{"name": "caf\xe9"}', 'latin1')), 'not valid UTF-8');
  });
  test('a wrong field is named with its route', () => {
    refused(routesFile('a.json', (r) => (r.routes[1].utterances[1] = 7)), 'route "code"', '"utterances" number 2');
    refused(routesFile('b.json', (r) => (r.routes[1].thresold = 0.5)), 'route "code"', '"thresold"');
    refused(routesFile('c.json', (r) => (r.routes[1].threshold = 'high')), 'route "code"', '"threshold"');
    refused(routesFile('d.json', (r) => (r.fallback = 'nobody')), '"nobody"');
    refused(routesFile('e.json', (r) => (r.routes[1].id = 'talk')), '"talk"', 'twice');
    refused(routesFile('f.json', (r) => (r.routes[1].utterances = [])), 'route "code"', '"utterances" is empty');
    refused(routesFile('g.json', (r) => delete r.routes[0].id), 'route number 1', '"id" is missing');
    refused(routesFile('h.json', (r) => (r.embedder.exits = [4, 1])), '"exits"');
    refused(routesFile('i.json', (r) => (r.embedder.exits = [99])), 'layers');
    refused(file('j.json', '[]'), '"routes"');
  });
  test('the same file gives the same bytes', () => {
    const again = `${folder}/again.srr`;
    run(['compile', `${folder}/small.json`, '-o', again, '--model', model]);
    assert.deepEqual(readFileSync(again), readFileSync(asset));
  });
  test('an output that cannot be written is told, and nothing is left behind', () => {
    const { status, stderr } = run(['compile', `${folder}/small.json`, '-o', `${folder}/no/such/folder.srr`, '--model', model]);
    assert.equal(status, 3);
    assert.match(stderr, /cannot write/);
  });
});

describe('route', () => {
  test('lines, arguments and JSON agree', () => {
    const text = 'why does my code crash?';
    assert.equal(run(route('--brief', text)).stdout, 'code\n');
    assert.equal(run(route('--brief'), `${text}\n`).stdout, 'code\n');
    assert.equal(run(route('--brief'), text).stdout, 'code\n', 'without a newline at the end');
    const { decision } = JSON.parse(run(route('--json', text)).stdout);
    assert.equal(decision.route, 'code');
    assert.deepEqual(Object.keys(decision.scores), ['code', 'talk']);
    assert.equal(decision.why.length, 3);
  });
  test('JSONL keeps order and every other field as it was', () => {
    const lines = Array.from({ length: 300 }, (_, i) => `{"n": ${i}, "big": 12345678901234567890.10, "text": "write a function ${i}", "x": {"é": [1.50, null]}}`);
    const { stdout, status } = run(route('--jsonl'), `${lines.join('\n')}\n`);
    assert.equal(status, 0);
    const answers = stdout.trim().split('\n');
    assert.equal(answers.length, lines.length);
    answers.forEach((answer, i) => {
      assert.ok(answer.startsWith(lines[i].slice(0, -1)), 'the record stands there unchanged');
      assert.equal(JSON.parse(answer).n, i);
      assert.ok(JSON.parse(answer).decision.route);
    });
  });
  test('a broken line gives an error record and the rest goes on; status 1', () => {
    const input = ['{"text": "fix my code"}', '{"text": ', '', '{"text": 5}', '["x"]', '{"other": "x"}', '{"text": "hello"}'].join('\n');
    const { stdout, status } = run(route('--jsonl'), input);
    assert.equal(status, 1);
    const records = stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(records.map((r) => r.line ?? 'ok'), ['ok', 2, 4, 5, 6, 'ok']);
    assert.match(records[1].error, /column \d+/);
    assert.match(records[2].error, /"text" is no string/);
    assert.match(records[4].error, /no field "text"/);
  });
  test('an old decision is replaced, another field can hold the prompt', () => {
    const { stdout } = run(route('--jsonl', '--field', 'q'), '{"q":"hello","decision":1}\n');
    assert.equal(JSON.parse(stdout).decision.route, 'talk');
  });
  test('a record with an escaped zero is refused, not cut there', () => {
    const { stdout, status } = run(route('--jsonl'), '{"text":"a\\u0000b"}\n{"text":"a\\\\u0000b"}\n');
    const [refused, answered] = stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(status, 1);
    assert.match(refused.error, /\\u0000/);
    assert.equal(answered.text, 'a\\u0000b');
  });
  test('strange prompts get an answer: empty, spaces, invalid UTF-8, a megabyte, zero bytes', () => {
    for (const input of ['\n', '   \u00a0\n', Buffer.from([0xff, 0xfe, 0x41, 0x0a]), `${'word '.repeat(200000)}\n`, Buffer.from('a\0b\n')]) {
      const { stdout, status } = run(route('--brief'), input);
      assert.equal(status, 0);
      assert.match(stdout, /^(talk|code)\n$/);
    }
    const { decision } = JSON.parse(run(route('--json', '  ')).stdout);
    assert.equal(decision.route, 'talk');
    assert.equal(decision.confidence, 0);
  });
  test('control characters of a prompt do not reach the terminal', () => {
    assert.ok(!run(route('\u001b[31mred')).stdout.includes('\u001b'));
  });
  test('a closed pipe ends it quietly enough', () => {
    const { status } = spawnSync('sh', ['-c', `yes hello | head -20000 | "${program}" ${route('--brief').map((a) => `'${a}'`).join(' ')} | head -1`], { encoding: 'utf8' });
    assert.equal(status, 0);
  });
});

describe('assets and models', () => {
  const says = (args, pattern, status = 3) => {
    const result = run(args);
    assert.equal(result.status, status);
    assert.match(result.stderr, pattern);
  };
  test('what is missing, cut, damaged or of another kind is named', () => {
    const bytes = readFileSync(asset), damaged = Buffer.from(bytes);
    damaged[bytes.length - 70] ^= 1;
    says(['route', '--routes', `${folder}/none.srr`, '--model', model, 'x'], /none\.srr/);
    says(['route', '--routes', folder, '--model', model, 'x'], /is a folder/);
    says(['route', '--routes', file('cut.srr', bytes.subarray(0, bytes.length - 1)), '--model', model, 'x'], /cut\.srr.*SR_E_TRUNCATED/);
    says(['route', '--routes', file('bad.srr', damaged), '--model', model, 'x'], /bad\.srr.*SR_E_CHECKSUM/);
    says(['route', '--routes', model, '--model', model, 'x'], /SR_E_MAGIC/);
    says(['route', '--routes', asset, '--model', asset, 'x'], /SR_E_MAGIC/);
    says(['inspect', `${folder}/bad.srr`], /SR_E_CHECKSUM/);
  });
  test('an exit that is not there: the ones that are, are listed', () => says(route('--exit', '7', 'x'), /has the exits 0 1/, 2));
  test('inspect shows routes, exits and their pins', () => {
    const shown = JSON.parse(run(['inspect', '--json', asset]).stdout);
    assert.deepEqual(shown.asset.routes.map((r) => [r.id, r.utterances]), [['talk', 3], ['code', 3]]);
    assert.deepEqual(shown.asset.exits.map((e) => e.layer), [0, 1]);
    const pins = JSON.parse(run(['inspect', '--json', model]).stdout);
    assert.equal(shown.asset.exits[0].modelContent, pins.content);
  });
});

describe('embed', () => {
  test('gives unit vectors by id', () => {
    const { stdout, status } = run(['embed', '--model', model, '--exit', '1'], '{"id":"a","text":"hello"}\n{"text":"world"}\n');
    assert.equal(status, 0);
    const records = stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(records.map((r) => r.id), ['a', 2]);
    for (const { vector } of records) assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-4);
  });
  test('names the line that has no text', () => {
    const { stderr, status } = run(['embed', '--model', model], '{"text":"x"}\n{"id":1}\n');
    assert.equal(status, 3);
    assert.match(stderr, /line 2/);
  });
});
