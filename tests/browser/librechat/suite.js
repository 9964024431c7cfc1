// Tests in both browsers. SR_BROWSERS=chromium limits them while one works on something.
import { after, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { browsers, visit } from './harness.js';

const wanted = (process.env.SR_BROWSERS || 'chromium,firefox').split(',');

/** cases(test): test(name, options for visit, async (visit) => …); one browser for all, a fresh profile for each. */
export function inBrowsers(title, cases, names = wanted) {
  for (const name of names.filter((one) => wanted.includes(one)))
    describe(`${title}, ${name}`, () => {
      let browser;
      const open = async () => (browser ||= await browsers[name]());
      after(async () => browser?.close());
      cases((what, options, run) =>
        it(what, { timeout: 600000 /* against hanging, not against a busy machine */ }, async () => {
          const at = await visit(await open(), options);
          let errors;
          try {
            await run(at);
          } finally {
            errors = await at.done();
          }
          if (!options.errors) assert.deepEqual(errors, [[], null], 'errors in the page');
        }), name);
    });
}
