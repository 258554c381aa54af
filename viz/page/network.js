// One weight's gradient in a layered network: its terms, what crosses each edge, the brackets.
//
// Indices start at 1, as in the note.  A target is {i, j, k}, the weight into node j of layer i from
// node k below, or, with k = 0, the bias of node j.  An edge is known by the text of `edgeKey`.

const edgeKey = (i, j, k) => `${i}:${j}:${k}`; // into node j of layer i; the error is layer n + 1

const range = (size) => Array.from({ length: size }, (_, place) => place + 1);

/** The sum over all paths from a node down to each of some others, at which paths end. */
function sweep(pass, from, ends) {
  const sums = new Map([[from, 1]]);
  const stop = new Set(ends);
  for (let place = from; place >= Math.min(...ends); place--) {
    if (!sums.has(place) || (stop.has(place) && place !== from)) continue;
    pass.graph.nodes[place].parents.forEach((parent, slot) => {
      const share = sums.get(place) * pass.locals[place][slot];
      sums.set(parent, (sums.get(parent) ?? 0) + share);
    });
  }
  return (place) => sums.get(place) ?? 0;
}

/** The factors of the note's formula, read from the pass. */
function factorsOf(pass) {
  const { sizes, x, z, o, w, b } = pass.graph.network;
  const depth = sizes.length - 1;
  const outputs = o[depth - 1];
  const errors = sweep(pass, pass.root, outputs);
  const slopes = o.map((layer, i) => {
    return layer.map((node, j) => sweep(pass, node, [z[i][j]])(z[i][j]));
  });
  const output = (i, k) => (i ? o[i - 1][k - 1] : x[k - 1]);
  return {
    depth,
    sizes,
    error: (j) => errors(outputs[j - 1]),
    slope: (i, j) => slopes[i - 1][j - 1],
    weight: (i, j, k) => pass.data[w[i - 1][j - 1][k - 1]],
    last: ({ i, k }) => (k ? pass.data[output(i - 1, k)] : -1),
    node: output,
    leaf: ({ i, j, k }) => (k ? w[i - 1][j - 1][k - 1] : b[i - 1][j - 1]),
  };
}

/** Not a number counts as infinite, so that it is seen. */
const size = (x) => (Number.isNaN(x) ? Infinity : Math.abs(x));

const bySize = (a, b) => (size(a.value) < size(b.value) ? 1 : size(a.value) > size(b.value) ? -1 : 0);

/**
 * The n largest terms, without listing the others: of all that go on from a node only the n largest
 * can be among them.
 */
function largestTerms(net, target, n) {
  const { i, j } = target;
  const extended = (term, node, ...factors) => {
    const value = factors.reduce((product, each) => product * each, term.value);
    return { value, factors: [...factors.toReversed(), ...term.factors], indices: [node, ...term.indices] };
  };
  const start = { value: net.last(target), factors: [net.last(target)], indices: [] };
  let below = new Map([[j, [{ ...extended(start, j, net.slope(i, j)), indices: [] }]]]);
  for (let m = i + 1; m <= net.depth; m++) {
    const layer = range(net.sizes[m]).map((node) => {
      const terms = [...below].flatMap(([k, list]) => {
        return list.map((term) => extended(term, node, net.weight(m, node, k), net.slope(m, node)));
      });
      return [node, terms.sort(bySize).slice(0, n)];
    });
    below = new Map(layer);
  }
  const terms = [...below].flatMap(([node, list]) => {
    return list.map((term) => {
      return { ...extended(term, node, net.error(node)), indices: term.indices };
    });
  });
  return terms.sort(bySize).slice(0, n);
}

/** How many terms there are, exactly. */
function countTerms(net, { i }) {
  return net.sizes.slice(i + 1).reduce((count, each) => count * BigInt(each), 1n);
}

/** The edges of a term, from the weight to the error. */
function edgesOf(net, target, indices) {
  const nodes = [target.j, ...indices.toReversed()];
  const inner = nodes.slice(1).map((node, place) => edgeKey(target.i + place + 1, node, nodes[place]));
  return [edgeKey(target.i, target.j, target.k), ...inner, edgeKey(net.depth + 1, 1, nodes.at(-1))];
}

/** For every edge above the weight, the sum of the terms that cross it and the sum of their sizes. */
function flowOf(net, target) {
  const { i, j } = target;
  const one = (x) => ({ net: x, gross: Math.abs(x) });
  const times = (a, b) => ({ net: a.net * b.net, gross: a.gross * b.gross });
  const sum = (list) => {
    return list.reduce((a, b) => ({ net: a.net + b.net, gross: a.gross + b.gross }), one(0));
  };
  const nodes = (m) => (m === i ? [j] : range(net.sizes[m]));
  const step = (m, node, k) => one(net.weight(m, node, k) * net.slope(m, node));
  const up = new Map([[i, new Map([[j, one(net.last(target) * net.slope(i, j))]])]]);
  for (let m = i + 1; m <= net.depth; m++) {
    const into = (node) => sum(nodes(m - 1).map((k) => times(up.get(m - 1).get(k), step(m, node, k))));
    up.set(m, new Map(nodes(m).map((node) => [node, into(node)])));
  }
  const down = new Map([[net.depth, new Map(nodes(net.depth).map((j) => [j, one(net.error(j))]))]]);
  for (let m = net.depth; m > i; m--) {
    const from = (k) => sum(nodes(m).map((node) => times(down.get(m).get(node), step(m, node, k))));
    down.set(m - 1, new Map(nodes(m - 1).map((k) => [k, from(k)])));
  }
  const flow = new Map();
  for (let m = i + 1; m <= net.depth; m++) {
    for (const node of nodes(m)) {
      for (const k of nodes(m - 1)) {
        const crossing = times(times(up.get(m - 1).get(k), step(m, node, k)), down.get(m).get(node));
        flow.set(edgeKey(m, node, k), crossing);
      }
    }
  }
  for (const node of nodes(net.depth)) {
    const crossing = times(up.get(net.depth).get(node), down.get(net.depth).get(node));
    flow.set(edgeKey(net.depth + 1, 1, node), crossing);
  }
  return { flow, up, down };
}

// ---- the formula, bracket by bracket

const NAMES = {
  error: (n, j) => `2(o[${n}][${j}] − t[${j}])`,
  slope: (i, j) => `f'[${i}][${j}]`,
  weight: (i, j, k) => `w[${i}][${j},${k}]`,
  last: ({ i, k }) => (k === 0 ? "(−1)" : i > 1 ? `o[${i - 1}][${k}]` : `x[${k}]`),
};

const factor = {
  error: (net, j) => ({ text: NAMES.error(net.depth, j), value: net.error(j) }),
  slope: (net, i, j) => ({ text: NAMES.slope(i, j), value: net.slope(i, j) }),
  weight: (net, i, j, k) => ({ text: NAMES.weight(i, j, k), value: net.weight(i, j, k) }),
  last: (net, target) => ({ text: NAMES.last(target), value: net.last(target) }),
};

const product = (factors) => factors.reduce((all, each) => all * each.value, 1);

/**
 * The two ways to bracket one sum.  Each says what stands outside all brackets, what is in the
 * bracket of a node, and what such an inner one is worth without opening it.
 *
 * "output" is the note's way, from the error down to the weight: the bracket of a node is its do/dw.
 * "weight" begins at the weight: the bracket of a node is its de/do, the same for all weights below
 * it.  That is what back-propagation keeps.
 */
const WAYS = {
  output: (net, target, { up }) => ({
    root: { m: net.depth + 1, node: 1, factors: [], path: [] },
    inner({ m, node }) {
      if (m === target.i) return [];
      const below = m - 1 === target.i ? [target.j] : range(net.sizes[m - 1]);
      return below.map((k) => {
        const first = m > net.depth ? factor.error(net, k) : factor.weight(net, m, node, k);
        const last = m - 1 === target.i ? [factor.last(net, target)] : [];
        const factors = [first, factor.slope(net, m - 1, k), ...last];
        return { m: m - 1, node: k, edge: edgeKey(m, node, k), factors };
      });
    },
    worth: ({ m, node, factors }) => factors[0].value * up.get(m).get(node).net,
  }),
  weight: (net, target, { down }) => ({
    root: {
      ...{ m: target.i, node: target.j, path: [edgeKey(target.i, target.j, target.k)] },
      factors: [factor.last(net, target), factor.slope(net, target.i, target.j)],
    },
    inner({ m, node }) {
      if (m > net.depth) return [];
      const edge = (above) => edgeKey(m + 1, above, node);
      if (m === net.depth) return [{ m: m + 1, node: 1, edge: edge(1), factors: [factor.error(net, node)] }];
      return range(net.sizes[m + 1]).map((above) => {
        const factors = [factor.weight(net, m + 1, above, node), factor.slope(net, m + 1, above)];
        return { m: m + 1, node: above, edge: edge(above), factors };
      });
    },
    worth: ({ m, node, factors }) => product(factors) * (down.get(m)?.get(node).net ?? 1),
  }),
};

/**
 * The gradient as nested brackets with this network's numbers: a tree, of at most so many lines; what
 * would be more stays closed.  Each bracket has its factors, what is `inside` of it and what it is
 * worth with them, the `edge` that leads into it, and all `edges` that its products cross.
 */
function bracketsOf(net, target, flows, way, lines) {
  const { root, inner, worth } = WAYS[way](net, target, flows);
  const opened = [root];
  for (const bracket of opened) {
    const parts = inner(bracket);
    bracket.terms = parts.length;
    bracket.isOpen = opened.length + parts.length <= lines;
    bracket.parts = bracket.isOpen ? parts : [];
    bracket.inside = parts.map(worth).reduce((sum, each) => sum + each, 0);
    for (const part of bracket.parts) part.path = [...bracket.path, part.edge];
    opened.push(...bracket.parts);
  }
  for (const bracket of opened.toReversed()) {
    bracket.value = product(bracket.factors) * (bracket.terms ? bracket.inside : 1);
    bracket.edges = [...new Set([...bracket.path, ...bracket.parts.flatMap((each) => each.edges)])];
  }
  const weight = edgeKey(target.i, target.j, target.k);
  for (const bracket of opened) bracket.edges.push(weight);
  return root;
}

/** The same in symbols, with a sum sign before the terms of a bracket: the note's line for this weight. */
function formulaOf(net, target, way) {
  const n = net.depth;
  const at = (m) => (m === target.i ? target.j : `k${m}`);
  const sum = (m) => (m === target.i ? "" : `Σ_k${m} `);
  const weight = (m) => NAMES.weight(m, at(m), at(m - 1));
  const slope = (m) => NAMES.slope(m, at(m));
  const error = NAMES.error(n, at(n));
  const last = NAMES.last(target);
  const layers = range(n).filter((m) => m >= target.i);
  const brackets =
    way === "output"
      ? layers.toReversed().map((m) => `${sum(m)}${m === n ? error : weight(m + 1)} ${slope(m)}`)
      : [...layers.map((m) => `${sum(m)}${m === target.i ? last : weight(m)} ${slope(m)}`), error];
  if (way === "output") brackets.push(`${brackets.pop()} ${last}`);
  return `${brackets.join(" [ ")}${" ]".repeat(brackets.length - 1)}`;
}
