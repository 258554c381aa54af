// The panels of the page: each is drawn anew from the state of page.js and the passes that follow from
// it, but for the fields of the leaves, in which somebody may be typing.

const DRAWN = 48; // larger graphs are folded to the nodes around the step's
const AROUND = 18;
const HALF = 16; // of each of two pictures side by side
const TERMS = 12;
const LINES = 40; // of the bracketed formula
const TURNS = 12; // contributions listed

// ---- the steps

function renderSteps() {
  const pass = current();
  const index = position();
  const step = pass.steps[index];
  const result = graph.nodes[pass.root].name;
  $("result").replaceChildren(`${result} = `, number(passes.right.data[pass.root]));
  $("size").textContent = sizeInWords();
  $("notes").replaceChildren(...graph.notes.map((note) => html("li", {}, note)));
  $("slider").min = firstStep();
  $("slider").max = pass.steps.length - 1;
  $("slider").value = index;
  const count = `step ${index + 1} of ${pass.steps.length}`;
  $("slider").setAttribute("aria-valuetext", `${count}: ${statement(pass, step)}`);
  $("count").textContent = count;
  $("kind").textContent = { forward: "forward", seed: "the seed", backward: "backward" }[step.kind];
  // While playing a screen reader could not keep up.
  $("statement").setAttribute("aria-live", state.playing ? "off" : "polite");
  $("statement").textContent = statement(pass, step);
  $("reason").textContent = reason(pass, step);
  $("play").textContent = state.playing ? "Pause" : "Play";
  for (const id of ["first", "back"]) $(id).disabled = index === firstStep();
  for (const id of ["next", "last"]) $(id).disabled = index === pass.steps.length - 1;
}

function sizeInWords() {
  const edges = graph.nodes.reduce((sum, { parents }) => sum + parents.length, 0);
  return `${graph.nodes.length} nodes, ${edges} edges, ${graph.schedule.length} steps`;
}

// ---- the picture

const VIEWS = { network: "Network", graph: "Graph", why: "Why this order?" };

function renderViews() {
  const shown = Object.keys(VIEWS).filter((view) => network || view !== "network");
  for (const view of shown) {
    const tab = $(`tab-${view}`);
    tab.hidden = false;
    tab.setAttribute("aria-selected", view === state.view);
    tab.tabIndex = view === state.view ? 0 : -1;
  }
  document.querySelector("main").dataset.view = state.view;
  $("view").setAttribute("aria-labelledby", `tab-${state.view}`);
  const scrolled = [...$("picture").querySelectorAll(".scroll")].map(({ scrollLeft }) => scrollLeft);
  $("picture").replaceChildren(...{ network: networkView, graph: graphView, why: whyView }[state.view]());
  $("picture")
    .querySelectorAll(".scroll")
    .forEach((box, place) => {
      box.scrollLeft = scrolled[place] ?? 0;
      follow(box);
    });
}

/** Keep the step's node in sight where a picture is wider than its frame. */
function follow(box) {
  const card = box.querySelector(".current[data-node]");
  if (!card || box.scrollWidth <= box.clientWidth) return;
  const [inner, outer] = [card.getBoundingClientRect(), box.getBoundingClientRect()];
  if (inner.left < outer.left || inner.right > outer.right) {
    box.scrollLeft += (inner.left + inner.right) / 2 - (outer.left + outer.right) / 2;
  }
}

const framed = (image, name) =>
  html("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name }, image);
const said = (...words) => html("p", { class: "said" }, ...words);

function networkView() {
  const { right, net } = passes;
  const choose = (target) => set({ target });
  const flows = flowOf(net, state.target);
  const image = drawNetwork(right, net, state.index, state.target, flows, { down: narrow.matches, choose });
  const hidden = net.sizes.reduce((sum, length) => sum + Math.max(length - MOST, 0), 0);
  return [
    html(
      "p",
      { class: "key" },
      keyOf("raises", "+ raises e (solid)"),
      keyOf("lowers", "− lowers e (dashed)"),
      keyOf("now", "this step"),
    ),
    framed(image, "The network; scroll to see all of it"),
    hidden
      ? said(
          `${hidden} nodes are not drawn: of a wide layer only the ${MOST} that matter most to this weight.`,
        )
      : "",
    said(
      "Width: the sum of the terms that cross an edge; the halo behind it: the sum of their sizes. Below a node: its gradient so far. ",
      `Choose a weight below or click its line; a node stands for its bias. The graph of ${graph.nodes.length} nodes is folded into this picture: the Graph view has its nodes one by one.`,
    ),
  ];
}

function keyOf(kind, text) {
  const sample = svg("svg", { class: "sample", width: 34, height: 12, "aria-hidden": "true" });
  sample.append(
    svg("line", {
      class: kind === "now" ? "now" : `flow ${kind}`,
      x1: 2,
      x2: 32,
      y1: 6,
      y2: 6,
      "stroke-width": kind === "now" ? 10 : 4,
    }),
  );
  return html("span", {}, sample, text);
}

/** All nodes, or the nearest ones around one. */
function drawnPlaces(centre, most = DRAWN) {
  if (graph.nodes.length <= most) return graph.nodes.map((_, place) => place);
  return around(graph, users, centre, Math.min(AROUND, most));
}

function graphView() {
  const { right } = passes;
  const places = drawnPlaces(state.node ?? right.steps[state.index].node);
  const image = drawGraph(right, state.index, places, { down: narrow.matches, chosen: state.node });
  image.addEventListener("click", ({ target }) => {
    const card = target.closest("[data-node]");
    set({ node: card ? Number(card.dataset.node) : null });
  });
  const left = graph.nodes.length - places.length;
  return [
    framed(image, "The graph; scroll to see all of it"),
    left
      ? said(
          html("strong", {}, `+${left} nodes not drawn. `),
          "The graph is folded to the nodes around this step; stepping moves on, and choosing a node below goes there.",
        )
      : "",
    said(
      "On an edge: the local derivative, where there is room. Below the numbers of a card: what has arrived, above the line what adds, below it what takes away. Click a card to keep its sum in view.",
    ),
    nodeTable(right, places),
  ];
}

function nodeTable(pass, places) {
  const rows = places.map((place) => {
    const node = graph.nodes[place];
    const sum = gradient(pass, place, state.index);
    return html(
      "tr",
      { "data-node": place },
      html("th", { scope: "row" }, node.name),
      html("td", {}, node.row ? inNames(graph, node) : "a leaf"),
      html("td", {}, isMade(pass, place, state.index) ? number(pass.data[place]) : "not yet"),
      html("td", {}, sum === null ? "none yet" : number(sum)),
    );
  });
  const details = html(
    "details",
    {},
    html("summary", { "data-key": "nodes" }, "The nodes as a table"),
    table("The nodes drawn, after this step", ["node", "operation", "data", "gradient"], rows),
  );
  details.open = nodeTable.open ?? false;
  details.addEventListener("toggle", () => (nodeTable.open = details.open));
  return details;
}

function table(caption, heads, rows, foot = []) {
  return html(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    html(
      "table",
      {},
      html("caption", {}, caption),
      html(
        "thead",
        {},
        html(
          "tr",
          {},
          heads.map((head) => html("th", { scope: "col" }, head)),
        ),
      ),
      html("tbody", {}, rows),
      foot.length ? html("tfoot", {}, foot) : "",
    ),
  );
}

function whyView() {
  const { right, wrong } = passes;
  const lesson = said(
    "A node may pass its gradient on only when all of it has come. The order sees to that: a node waits for all that used it. " +
      "A beginner's pass has no order: whenever something arrives, it passes its whole sum on at once, and so counts what came before again.",
  );
  if (!wrong) return [lesson, html("p", { class: "said" }, html("strong", {}, graph.naive.refused))];
  const early = firstEarly(wrong, right);
  const index = state.wrong;
  const step = Math.min(index, right.steps.length - 1);
  const isOver = index >= right.steps.length;
  const column = (heading, pass, at, words) => {
    const image = drawGraph(pass, at, drawnPlaces(pass.steps[at].node, HALF), { down: true, title: heading });
    return html(
      "div",
      { class: "half" },
      html("h3", {}, heading),
      html("p", { class: "line" }, words),
      framed(image, heading),
    );
  };
  const ends = leaves.filter((leaf) => right.into[leaf].length);
  const isWrong = (leaf) => differs(gradient(right, leaf), gradient(wrong, leaf));
  const listed = ends.toSorted((a, b) => isWrong(b) - isWrong(a)).slice(0, TURNS);
  const rows = listed.map((leaf) => {
    const [there, here] = [gradient(right, leaf), gradient(wrong, leaf)];
    const verdict = isWrong(leaf) ? html("strong", {}, "wrong") : "the same";
    const cells = [here, there].map((sum) => html("td", {}, number(sum)));
    return html(
      "tr",
      {},
      html("th", { scope: "row" }, graph.nodes[leaf].name),
      cells,
      html("td", {}, verdict),
    );
  });
  const left = graph.nodes.length - drawnPlaces(wrong.steps[index].node, HALF).length;
  return [
    lesson,
    html("p", { class: "verdict", role: "note" }, verdictOf(right, wrong, early, index)),
    html(
      "div",
      { class: "halves" },
      column("Without an order", wrong, index, statement(wrong, wrong.steps[index])),
      column("In order", right, step, isOver ? "done" : statement(right, right.steps[step])),
    ),
    left
      ? said(
          html("strong", {}, `+${left} nodes not drawn: `),
          "both pictures are folded to the nodes around the step.",
        )
      : "",
    table("What comes of it", ["leaf", "without an order", "in order", "which is"], rows),
    ends.length > TURNS ? said(`${ends.length - TURNS} leaves are not listed.`) : "",
  ];
}

function verdictOf(right, wrong, early, index) {
  const isWrong = leaves.some((leaf) => differs(gradient(right, leaf) ?? 0, gradient(wrong, leaf) ?? 0));
  if (early < 0)
    return "Here nothing goes wrong: no inner node is used twice, so each passes on once. It does in b = a + a, c = b + b.";
  if (!isWrong) return "Here nothing goes wrong in the end: what is passed on too early comes to nothing.";
  const { node, upstream } = wrong.steps[early];
  const name = graph.nodes[node].name;
  const due = right.into[node].length;
  const come = wrong.into[node].filter((each) => each < early).length;
  const where =
    early === index
      ? "This step goes wrong"
      : `Step ${early + 1} ${early < index ? "went" : "will go"} wrong`;
  return (
    `${where}: ${name} passes on ${show(upstream)}, but its gradient is ${show(gradient(right, node))}: ` +
    `${due - come} of its ${due} contributions ${due - come === 1 ? "has" : "have"} not come.`
  );
}

// ---- one weight's gradient

function renderGradient() {
  $("gradient").hidden = state.view !== "network";
  if (state.view !== "network") return;
  const { right, net } = passes;
  const { target } = state;
  const place = net.leaf(target);
  const name = graph.nodes[place].name;
  const total = gradient(right, place) ?? 0;
  const count = countTerms(net, target);
  const paths = count === 1n ? "one term" : `a sum of ${count} terms`;
  $("gradient-of").replaceChildren(`∂e/∂${name} = `, number(total, signed(total)), ` = ${paths}`);
  renderTargets(target);
  $("terms").replaceChildren(termTable(net, target, total, count));
  renderFormula(net, target, name);
}

function renderTargets({ i, j, k }) {
  const options = (id, values, chosen, text = String) => {
    const select = $(id);
    select.replaceChildren(
      ...values.map((value) => html("option", { value, selected: value === chosen }, text(value))),
    );
    select.value = chosen;
  };
  const { sizes } = network;
  options("target-i", range(sizes.length - 1), i);
  options("target-j", range(sizes[i]), j);
  options("target-k", [...range(sizes[i - 1]), 0], k, (value) => (value ? `w from ${value}` : "b, its bias"));
}

function termTable(net, target, total, count) {
  const terms = largestTerms(net, target, TERMS);
  const largest = Math.max(...terms.map(({ value }) => size(value)).filter(Number.isFinite), 0);
  const rows = terms.map(({ indices, factors, value }) => {
    const nodes = [target.j, ...indices.toReversed()].join("→");
    const row = html(
      "tr",
      { "data-term": indices.join(",") },
      html("th", { scope: "row" }, html("button", { type: "button", "data-key": `term ${nodes}` }, nodes)),
      html("td", {}, number(value, signed(value))),
      html("td", { class: "bar" }, bar(value, largest)),
      html("td", { class: "factors" }, written(factors)),
    );
    mark(row, {
      shows: edgesOf(net, target, indices).slice(1),
      lights: edgesOf(net, target, indices),
      isText: true,
    });
    return row;
  });
  const line = (what, value, data) => {
    return html(
      "tr",
      { "data-sum": data },
      html("th", { scope: "row" }, what),
      html("td", {}, number(value, signed(value))),
      html("td"),
      html("td"),
    );
  };
  const listed = terms.reduce((sum, { value }) => sum + value, 0);
  const rest = count - BigInt(terms.length);
  const foot = [
    rest > 0n ? line(`${rest} more`, total - listed, "rest") : "",
    line("sum", rest > 0n ? total : listed, "total"),
    line("backward", total, "backward"),
  ];
  return table(
    `The terms of ∂e/∂${graph.nodes[net.leaf(target)].name}, the largest first`,
    ["path", "term", "size", "factors"],
    rows,
    foot,
  );
}

function bar(value, largest) {
  const length = Math.max(size(value) === Infinity ? 1 : largest ? size(value) / largest : 0, 0.01) * 90;
  const line = { class: `flow ${sign(value)}`, x1: 0, x2: length, y1: 7, y2: 7, "stroke-width": 12 };
  return svg("svg", { width: 92, height: 14, "aria-hidden": "true" }, svg("line", line));
}

function renderFormula(net, target, name) {
  $("formula").textContent = `∂e/∂${name} = ${formulaOf(net, target, state.way)}`;
  for (const way of Object.keys(WAYS)) $(`way-${way}`).checked = state.way === way;
  $("way").textContent =
    state.way === "output"
      ? "The note's way, from the error down to the weight. A bracket is what its node's output changes with the weight, ∂o/∂w: it serves this one weight."
      : "From the weight up to the error. A bracket is ∂e/∂o of its node, the sum that the backward pass keeps there: it serves every weight below. That is why back-propagation is cheap.";
  const root = bracketsOf(net, target, flowOf(net, target), state.way, LINES);
  $("brackets").replaceChildren(bracketList([root], "root"));
}

/** Brackets within brackets, as a list within a list; each line lights its edges. */
function bracketList(brackets, key) {
  const items = brackets.map((bracket) => {
    const { parts, value, edge, edges, m, node } = bracket;
    const own = `${key} ${m}:${node}`;
    const isSpread = parts.length > 1;
    const worth = html("span", { class: "worth" }, " = ", number(value, signed(value, 5)));
    const title = symbolsOf(bracket).join(" · ");
    const line = html(
      "button",
      { type: "button", class: "bracket", "data-key": own, title },
      inOneLine(bracket),
      isSpread ? "" : worth,
    );
    const rest = isSpread ? [bracketList(parts, own), html("span", { class: "close" }, "]", worth)] : [];
    mark(line, { shows: [edge, ...alone(bracket).map((each) => each.edge)], lights: edges, isText: true });
    return html("li", {}, line, rest);
  });
  return html("ul", { class: "brackets" }, items);
}

/** The parts within a bracket that stand alone in it, one within the other. */
function alone({ parts }) {
  return parts.length === 1 ? [parts[0], ...alone(parts[0])] : [];
}

const symbolsOf = (bracket) =>
  [bracket, ...alone(bracket)].flatMap(({ factors }) => factors.map(({ text }) => text));

/** The factors of a bracket, and what is in it if that is one product or stays closed. */
function inOneLine({ factors, parts, terms, isOpen, inside }) {
  const numbers = written(factors.map(({ value }) => value));
  const times = factors.length && terms ? " × " : "";
  if (!terms) return numbers;
  if (!isOpen)
    return [
      numbers,
      times,
      "[ … ",
      html("span", { class: "hint" }, `${terms} in it, together `),
      number(inside),
      " ]",
    ];
  return parts.length === 1 ? [numbers, times, "[ ", inOneLine(parts[0]), " ]"] : [numbers, times, "["];
}

const written = (values) =>
  values.flatMap((x, place) => [place ? " × " : "", number(x, bracketed(format(x, 4), true))]);

// ---- the accumulator

function renderAccumulator() {
  const pass = current();
  const index = position();
  const place = state.view === "why" ? pass.steps[index].target : focus();
  const name = graph.nodes[place].name;
  const parts = segments(pass, place, index);
  const sum = gradient(pass, place, index);
  const chosen = $("node");
  chosen.replaceChildren(
    html("option", { value: "" }, `the step's: ${graph.nodes[pass.steps[index].target].name}`),
    ...drawnOptions(place).map((each) => html("option", { value: each }, graph.nodes[each].name)),
  );
  chosen.value = state.node ?? "";
  chosen.disabled = state.view === "why";
  $("sum-of").replaceChildren(`${name}.grad = `, sum === null ? "nothing yet" : number(sum));
  const before = parts.length > TURNS ? parts.slice(0, parts.length - TURNS) : [];
  const shown = parts.slice(before.length);
  const reach = extent(parts);
  let start = before.reduce((total, { value }) => total + value, 0);
  const rows = shown.map((part, k) => {
    const row = segmentRow(pass, part, before.length + k, start, reach, part.arrived === index);
    start += part.value;
    return row;
  });
  const earlier = before.length
    ? [
        html(
          "tr",
          {},
          html("th", { scope: "row" }, `${before.length} before`),
          html("td", {}, number(before.reduce((total, { value }) => total + value, 0))),
          html("td"),
          html("td"),
        ),
      ]
    : [];
  const due = pass === passes.right ? passes.right.into[place].filter((each) => each > index).length : 0;
  $("segments").replaceChildren(
    parts.length
      ? table(`What has arrived at ${name}`, ["path", "adds", "so far", "product"], [...earlier, ...rows])
      : said("Nothing has arrived yet."),
    due ? said(`${due} of ${passes.right.into[place].length} contributions are still to come.`) : "",
  );
}

/** All nodes, or the first few hundred of them. */
const drawnOptions = (place) => {
  const listed = graph.nodes
    .map((_, each) => each)
    .slice(-300)
    .toReversed();
  return listed.includes(place) ? listed : [place, ...listed];
};

/** From where to where the sums of the segments go, with 0 among them. */
function extent(parts) {
  const sums = [0];
  for (const { value } of parts) sums.push(sums.at(-1) + value);
  return [Math.min(...sums), Math.max(...sums)];
}

function segmentRow(pass, { value, path, factors, count }, k, start, [low, high], isNew) {
  const nodes = path.length
    ? [pass.steps[path[0]].node, ...path.map((each) => pass.steps[each].target)]
    : [pass.root];
  const names = nodes.map((place) => graph.nodes[place].name).join(" → ");
  const all = count > 1 ? `${count} paths through ${graph.nodes[pass.steps[path[0]].node].name}` : names;
  const lengthOf = (x) => (high > low ? ((x - low) / (high - low)) * 116 : 0) + 2;
  const [from, to] = [lengthOf(Math.min(start, start + value)), lengthOf(Math.max(start, start + value))];
  const picture = svg(
    "svg",
    { width: 120, height: 14, "aria-hidden": "true" },
    svg("line", { class: "zero", x1: lengthOf(0), x2: lengthOf(0), y1: 0, y2: 14 }),
    svg("rect", {
      class: `segment ${hue(k)} ${value < 0 ? "negative" : ""}`,
      x: from,
      y: 1,
      width: Math.max(to - from, 1),
      height: 12,
    }),
  );
  const row = html(
    "tr",
    { class: isNew ? "new" : null, "data-segment": k },
    html("th", { scope: "row" }, html("button", { type: "button", "data-key": `segment ${k}` }, all)),
    html("td", {}, number(value, signed(value))),
    html("td", { class: "bar" }, picture),
    html("td", { class: "factors" }, factors.length ? written(factors) : "1, the seed"),
  );
  const edges = path.map((each) => `g:${pass.steps[each].node}:${pass.steps[each].slot}`);
  mark(row, { shows: edges, isText: true });
  return row;
}

// ---- the leaves

const LISTED_LEAVES = 12;

/** The leaves to change: of a network the chosen weight, the input and the target. */
function listedLeaves() {
  if (!network)
    return leaves.length <= LISTED_LEAVES ? leaves : [state.leaf, ...leaves.slice(0, LISTED_LEAVES)];
  const ends = [...network.x.slice(0, 6), ...network.t.slice(0, 6)];
  return [passes.net.leaf(state.target), ...(state.leaf === leaves[0] ? [] : [state.leaf]), ...ends];
}

function renderLeaves() {
  const listed = [...new Set(listedLeaves())].filter((place) => !graph.nodes[place].row);
  const rows = new Map([...$("leaf-list").children].map((row) => [Number(row.dataset.leaf), row]));
  const wanted = listed.map((place) => rows.get(place) ?? leafRow(place));
  const stands = [...$("leaf-list").children];
  if (wanted.length !== stands.length || wanted.some((row, k) => row !== stands[k]))
    $("leaf-list").replaceChildren(...wanted);
  listed.forEach((place, k) => updateLeaf(place, wanted[k]));
  $("other").hidden = listed.length === leaves.length;
  if (!$("leaf").options.length)
    $("leaf").append(...leaves.map((place) => html("option", { value: place }, graph.nodes[place].name)));
  $("leaf").value = state.leaf;
  $("unlisted").textContent = `${leaves.length - listed.length} leaves are not listed.`;
  $("reset").disabled = state.changed.size === 0 && !state.refused;
  $("refused").textContent = state.refused?.message ?? "";
  $("fixed").textContent = graph.fixed ?? "";
}

function leafRow(place) {
  const name = graph.nodes[place].name;
  const initial = Number(graph.nodes[place].data);
  const reach = Math.max(1, 2 * Math.abs(initial));
  const about = { "aria-label": name, disabled: Boolean(graph.fixed) };
  const field = html("input", {
    ...about,
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    spellcheck: "false",
  });
  const slider = html("input", {
    ...about,
    "aria-label": `${name}, by dragging`,
    type: "range",
    min: initial - reach,
    max: initial + reach,
    step: "any",
  });
  field.addEventListener("input", () => change(place, field.value));
  slider.addEventListener("input", () => change(place, slider.value));
  return html(
    "li",
    { "data-leaf": place },
    html("span", { class: "name" }, name),
    field,
    slider,
    html("span", { class: "gradient" }),
  );
}

function updateLeaf(place, row) {
  const [, field, slider, note] = row.children;
  const refused = state.refused?.leaf === place;
  const value = passes.right.data[place];
  field.toggleAttribute("aria-invalid", refused);
  if (refused) field.setAttribute("aria-errormessage", "refused");
  if (document.activeElement !== field && !refused) field.value = String(value);
  slider.min = Math.min(slider.min, value);
  slider.max = Math.max(slider.max, value);
  if (document.activeElement !== slider) slider.value = value;
  row.classList.toggle("changed", state.changed.has(place));
  note.replaceChildren(
    "grad ",
    number(gradient(passes.right, place) ?? 0, signed(gradient(passes.right, place) ?? 0, 4)),
  );
}

function reset() {
  passes = passesFor(recorded(graph));
  for (const row of $("leaf-list").children) row.remove();
  $("leaf-list").replaceChildren();
  set({ changed: new Map(), refused: null });
}
