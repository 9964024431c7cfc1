// Runs the native program in a folder of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const program = join(root, 'build', process.env.SR_CONFIG ?? 'release', 'smartrouter');

// A folder that goes away with the test; write(name, rows or text) puts a file into it.
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'smartrouter-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    write(name, content) {
      const text = Array.isArray(content) ? content.map((row) => JSON.stringify(row) + '\n').join('') : content;
      writeFileSync(join(path, name), text);
      return name;
    },
  };
}

// {status, stdout, stderr}; started(child) may kill it.
export function run(cwd, args, started) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const out = [];
    const err = [];
    child.stdout.on('data', (part) => out.push(part));
    child.stderr.on('data', (part) => err.push(part));
    child.on('error', fail);
    child.on('close', (status, signal) =>
      done({ status, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
    started?.(child);
  });
}
