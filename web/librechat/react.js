// React's contexts from outside, by the shape of their values: names of properties survive minification, nothing else does.

function fiberOf(node) {
  for (const key in node) if (key.startsWith('__reactFiber$')) return node[key];
  return null;
}

/** The mounted fibers from the root down to a node. A node's own pointer may lead to the spare copy of a fiber, which holds the
 * values of the render before; child pointers from the root's `current` never do. */
function mountedPath(node) {
  const up = [];
  for (let fiber = fiberOf(node); fiber && up.length < 5000; fiber = fiber.return) up.push(fiber);
  const root = up.pop();
  const current = root?.stateNode?.current;
  if (!current || (current !== root && current !== root.alternate)) return [];
  const path = [current];
  for (let here = current; up.length; path.push(here)) {
    const wanted = up.pop();
    let child = here.child;
    while (child && child !== wanted && child !== wanted.alternate) child = child.sibling;
    if (!child) return []; // unmounted meanwhile
    here = child;
  }
  return path;
}

const valueOf = (fiber) => {
  const { type, memoizedProps } = fiber;
  return type && typeof type === 'object' && memoizedProps ? memoizedProps.value : undefined;
};
const fits = (value, test) => {
  try {
    return value !== null && typeof value === 'object' && test(value);
  } catch {
    return false;
  }
};

/** The nearest context value around a node that passes the test, or null. */
export function contextAround(node, test) {
  const path = node ? mountedPath(node) : [];
  for (let i = path.length - 1; i >= 0; i--) {
    const value = valueOf(path[i]);
    if (fits(value, test)) return value;
  }
  return null;
}

/** The first context value anywhere in the tree that holds the node: for releases whose button has no test id. */
export function contextAnywhere(node, test, limit = 30000) {
  const stack = node ? mountedPath(node).slice(0, 1) : [];
  for (let seen = 0; stack.length && seen < limit; seen++) {
    const fiber = stack.pop();
    const value = valueOf(fiber);
    if (fits(value, test)) return value;
    if (fiber.sibling) stack.push(fiber.sibling);
    if (fiber.child) stack.push(fiber.child);
  }
  return null;
}
