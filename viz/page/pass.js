// The backward pass in numbers and in words: no document, no colours.
//
// `graph` is what viz/explorer.py wrote: its nodes stand each after its operands, an operand is the
// place of a node or {number, text}, and `schedule` is the record of tinygrad_bp/explain/steps.py without
// the numbers: [kind, node, slot].  The words are that record's too, to the letter.

const LISTED = 6; // so many operands of a list are written out
const SEGMENTS = 12; // so many paths to a node are told apart,
const STEPS = 24; // where none has more steps than this

/** A number as Python's `format_number` has it: to six significant digits. */
function format(x, digits = 6) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (Object.is(x, -0)) return "-0";
  const [mantissa, power] = x
    .toExponential(digits - 1)
    .split("e")
    .map(Number);
  if (power >= -4 && power < digits) return String(Number(x.toFixed(digits - 1 - power)));
  const exponent = String(Math.abs(power)).padStart(2, "0");
  return `${mantissa}e${power < 0 ? "-" : "+"}${exponent}`;
}

/** The same, to be seen as a float: 2.0. */
function show(x) {
  const text = format(x);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

const signed = (x, digits) => (x > 0 ? "+" : "") + format(x + 0, digits); // -0 + 0 is 0

/** An operation has no value at the numbers that its operands have now. */
class NoValue extends Error {}

const isNode = Number.isInteger;

/** The numbers that Python recorded. */
function recorded(graph) {
  return {
    data: graph.nodes.map((node) => Number(node.data)),
    locals: graph.nodes.map((node) => node.locals.map(Number)),
  };
}

/** Data and local derivatives of every node for other leaves, by the rows of the table. */
function recalculated(graph, leaves) {
  const data = [];
  const locals = [];
  graph.nodes.forEach((node, place) => {
    const operands = node.operands.map((each) => (isNode(each) ? data[each] : Number(each.number)));
    if (!node.row) {
      data.push(leaves[place]);
      locals.push([]);
      return;
    }
    const wanted = node.operands.map(isNode);
    const found = engine.evaluate(engine.rules[node.row], operands, wanted);
    if (found === null) throw new NoValue(noValue(graph, node, operands));
    data.push(found.data);
    locals.push(found.derivatives.filter((_, slot) => wanted[slot]));
  });
  return { data, locals };
}

function noValue(graph, node, operands) {
  const { name, needs, enclosed } = graph.rows[node.row];
  const said = node.operands.map((each, slot) => {
    const text = isNode(each) ? `${graph.nodes[each].name} = ${format(operands[slot])}` : each.text;
    return enclosed ? text : bracketed(text, true);
  });
  const names = node.operands.map((each) => (isNode(each) ? graph.nodes[each].name : each.text));
  const needed = needs.replace(/\b[xyz]\b/g, (parameter) => names["xyz".indexOf(parameter)]);
  const call = operation(graph, node, said);
  return `${call} has no value${needs ? `: ${name} needs ${needed}` : ""}`;
}

/**
 * A schedule carried out: every step with its numbers, and for each node the steps into it.  `paths` is
 * what `pathsOf` says, for a pass that is in order.
 */
function carriedOut(graph, numbers, schedule, paths = null) {
  const grads = graph.nodes.map(() => 0);
  const into = graph.nodes.map(() => []);
  const madeAt = graph.nodes.map(() => -1);
  const steps = schedule.map(([kind, node, slot], index) => {
    if (kind === "forward") {
      madeAt[node] = index;
      return { kind, index, node, target: node };
    }
    if (kind === "seed") {
      grads[node] = 1;
      into[node].push(index);
      return { kind, index, node, target: node, contribution: 1, before: 0, after: 1, ordinal: 0 };
    }
    const target = graph.nodes[node].parents[slot];
    const local = numbers.locals[node][slot];
    const upstream = grads[node];
    const contribution = upstream * local;
    const before = grads[target];
    grads[target] = before + contribution;
    const ordinal = into[target].push(index) - 1;
    const known = { kind, index, node, slot, target, local, upstream, contribution };
    return { ...known, before, after: grads[target], ordinal };
  });
  return { graph, ...numbers, steps, into, madeAt, paths, root: graph.nodes.length - 1 };
}

/** Whether a node's data is known after a step. */
const isMade = (pass, node, index) => pass.madeAt[node] <= index;

/** The sum at a node after a step; null before the first contribution. */
function gradient(pass, node, index = Infinity) {
  const last = pass.into[node].findLast((each) => each <= index);
  return last === undefined ? null : pass.steps[last].after;
}

/** How many paths lead from the result down to each node, and how long the longest is. */
function pathsOf(graph) {
  const counts = graph.nodes.map(() => 0); // beyond all floats, Infinity
  const lengths = graph.nodes.map(() => 0);
  counts[graph.nodes.length - 1] = 1;
  for (let place = graph.nodes.length - 1; place >= 0; place--) {
    for (const parent of graph.nodes[place].parents) {
      counts[parent] += counts[place];
      lengths[parent] = Math.max(lengths[parent], lengths[place] + 1);
    }
  }
  return { counts, lengths };
}

/**
 * What has arrived at a node after a step: a segment for each path from the result, with the product
 * along it and the steps it takes.  Where there are too many, or the pass has no order and so counts
 * paths twice, a segment for each contribution.
 */
function segments(pass, node, index = Infinity) {
  const { paths } = pass;
  const apart = paths && paths.counts[node] <= SEGMENTS && paths.lengths[node] <= STEPS;
  const arrived = pass.into[node].filter((each) => each <= index);
  return arrived.flatMap((each) => {
    const { kind, node: upper, upstream, local } = pass.steps[each];
    if (kind === "seed") return [{ value: 1, path: [], factors: [], count: 1, arrived: each }];
    const above = apart
      ? segments(pass, upper)
      : [{ value: upstream, path: [], factors: [upstream], count: paths ? paths.counts[upper] : 1 }];
    return above.map(({ value, path, factors, count }) => {
      const grown = { path: [...path, each], factors: [...factors, local] };
      return { value: value * local, ...grown, count, arrived: each };
    });
  });
}

/**
 * The first step at which a node passes on its gradient before all of it has come; -1 if none.
 * `due` is the right pass.
 */
function firstEarly(pass, due) {
  const come = pass.into.map(() => 0);
  return pass.steps.findIndex(({ kind, node, target }) => {
    if (kind === "backward" && come[node] < due.into[node].length) return true;
    if (kind !== "forward") come[target] += 1;
    return false;
  });
}

/** Whether two sums of the same numbers differ by more than the order of adding them. */
function differs(a, b) {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return false;
  return !(Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)));
}

// ---- in words

const bracketed = (text, sign = false) => {
  return /[ /]/.test(text) || (sign && text.startsWith("-")) ? `(${text})` : text;
};

/** An operation on operands that are written already; of a long list, the first few. */
function operation(graph, node, operands) {
  const { pieces, variadic, arity } = graph.rows[node.row];
  const size = operands.length / arity;
  const lists = Array.from({ length: arity }, (_, place) => {
    const list = operands.slice(place * size, place * size + Math.min(size, LISTED));
    return `[${[...list, ...(size > LISTED ? [`... ${size} in all`] : [])].join(", ")}]`;
  });
  const shown = variadic ? lists : operands;
  return shown.reduce((text, each, slot) => text + each + pieces[slot + 1], pieces[0]);
}

/** The operation with the names of its operands. */
function inNames(graph, node) {
  const { enclosed } = graph.rows[node.row];
  return operation(
    graph,
    node,
    node.operands.map((each) => {
      if (isNode(each)) return graph.nodes[each].name;
      return enclosed ? each.text : bracketed(each.text, true);
    }),
  );
}

/** The operation with the numbers of its operands. */
function inNumbers(pass, node) {
  const { enclosed } = pass.graph.rows[node.row];
  return operation(
    pass.graph,
    node,
    node.operands.map((each) => {
      const text = isNode(each) ? show(pass.data[each]) : each.text;
      return enclosed ? text : bracketed(text, true);
    }),
  );
}

/** d(node)/d(parent); of parallel edges, which one. */
function derivativeName(graph, place, slot) {
  const { name, parents } = graph.nodes[place];
  const parent = parents[slot];
  const which = parents.filter((each) => each === parent).length > 1 ? `[operand ${slot + 1}]` : "";
  return `d${name}/d${graph.nodes[parent].name}${which}`;
}

/** A step in one line, with its numbers. */
function statement(pass, step) {
  const { graph } = pass;
  const name = graph.nodes[step.target].name;
  if (step.kind === "seed") return `${name}.grad = ${show(step.after)}`;
  if (step.kind === "forward") {
    const node = graph.nodes[step.node];
    const data = show(pass.data[step.node]);
    return `${name} = ${inNames(graph, node)} = ${inNumbers(pass, node)} = ${data}`;
  }
  const before = step.ordinal ? show(step.before) : "0";
  const product = `${show(step.upstream)} × ${bracketed(show(step.local))}`;
  return `${name}.grad: ${before} + (${product}) = ${show(step.after)}`;
}

/** Where its numbers come from, in one more line. */
function reason(pass, step) {
  const { graph } = pass;
  const node = graph.nodes[step.node];
  if (step.kind === "seed") return `d${node.name}/d${node.name} = ${show(step.after)}: here the pass starts`;
  if (step.kind === "forward") {
    const kept = pass.locals[step.node].map((local, slot) => {
      return `${derivativeName(graph, step.node, slot)} = ${show(local)}`;
    });
    const more = kept.length > LISTED ? [`... ${kept.length} in all`] : [];
    return `kept for the way back: ${[...kept.slice(0, LISTED), ...more].join(", ")}`;
  }
  const { variadic, name } = graph.rows[node.row];
  const how = variadic ? `by ${name}` : `as ${node.name} = ${inNames(graph, node)}`;
  return (
    `${node.name} → ${graph.nodes[step.target].name}, ${how}: ` +
    `${node.name}.grad = ${show(step.upstream)}, ` +
    `${derivativeName(graph, step.node, step.slot)} = ${show(step.local)}`
  );
}
