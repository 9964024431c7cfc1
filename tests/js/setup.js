// Shared by the tests: which builds to run, and where they lie. SR_VARIANTS names them (make test-js runs scalar and simd128 in
// the oldest Node that we support, and relaxed in a newer one); a build that is missing fails, it is never skipped.
import { readFileSync } from 'node:fs';

export const root = new URL('../../', import.meta.url);
export const out = new URL(`build/${process.env.SR_CONFIG ?? 'release'}/`, root);
export const wasm = new URL('wasm/', out);
export const variants = (process.env.SR_VARIANTS ?? 'scalar,simd128').split(',');
export const read = (path) => new Uint8Array(readFileSync(new URL(path, root)));

/** The error that fn rejects or throws with. */
export async function failure(fn) {
  try {
    await (typeof fn === 'function' ? fn() : fn);
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
