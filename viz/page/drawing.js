// The pictures: a graph and a network after one step, as SVG.  Colours and line styles are classes of
// page.css; what a picture says is also said in text, here or in the tables beside it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== false));
  return element;
}

/** An element of HTML; attributes that are null or false are left out. */
function html(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** A number as text, which keeps all its digits in an attribute. */
const number = (x, text = format(x)) => html("data", { value: String(x) }, text);
const drawnNumber = (x, attributes, text = format(x)) =>
  svg("text", { ...attributes, "data-value": String(x) }, text);

const sign = (x) => (x > 0 ? "raises" : x < 0 ? "lowers" : "none");
const hue = (place) => `hue${place % 8}`;
const elided = (text, most) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

/** A picture with a title and a description, as large as its lengths say. */
function picture(title, description, { width, height }, ...children) {
  const ids = { title: `title-${picture.made}`, desc: `desc-${picture.made}` };
  picture.made += 1;
  const attributes = {
    ...{ viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`, width: Math.ceil(width) },
    ...{ role: "img", "aria-labelledby": ids.title, "aria-describedby": ids.desc },
  };
  const said = [svg("title", { id: ids.title }, title), svg("desc", { id: ids.desc }, description)];
  const image = svg("svg", attributes, said, children);
  image.style.minWidth = `${Math.ceil(width * 0.7)}px`; // smaller, it could not be read: it scrolls
  return image;
}
picture.made = 1;

// ---- where numbers find room

const boxAt = ({ x, y }, width, height) => ({ x, y, width, height });

function overlap(a, b) {
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2;
}

const PLACES = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82];

/** The first place along a line whose box is free, which is then taken; null if there is none. */
function freePlace(pointAt, width, taken) {
  const boxes = PLACES.map((t) => boxAt(pointAt(t), width, 15));
  const free = boxes.find((box) => !taken.some((other) => overlap(box, other)));
  if (free) taken.push(free);
  return free ?? null;
}

const textWidth = (text) => 6.4 * text.length + 6;

// ---- the graph

/** The graph of a pass after a step: a card for each node, with the numbers known by then. */
function drawGraph(pass, index, places, { down, chosen = null, title = "The graph" }) {
  const { graph } = pass;
  const plan = layered(graph, places, down);
  const step = pass.steps[index];
  const taken = [...plan.at.values()].map((middle) => boxAt(middle, CARD.width, CARD.height));
  const isStep = ({ to, slot }) => to === step.node && (step.kind === "forward" || slot === step.slot);
  const sorted = plan.edges.toSorted((a, b) => isStep(b) - isStep(a)); // the step's number finds room first
  const edges = sorted.map((edge) => drawEdge(pass, index, edge, plan, taken));
  const cards = places.map((place) => drawCard(pass, index, place, plan.at.get(place), chosen));
  const left = graph.nodes.length - places.length;
  const description =
    `${places.length} nodes, each with its data and gradient, and ${plan.edges.length} edges, each with ` +
    `its local derivative.${left ? ` ${left} nodes are not drawn.` : ""} This step: ${statement(pass, step)}`;
  return picture(
    title,
    description,
    plan,
    edges.map(({ line }) => line).reverse(),
    cards,
    edges.map(({ label }) => label),
  );
}

function drawEdge(pass, index, { from, to, slot, points }, plan, taken) {
  const current = pass.steps[index];
  const ends = portsOf(points, slot, pass.graph.nodes[to].parents.length, plan.down);
  const curves = ends.slice(1).map((end, place) => curve(ends[place], end, plan.down));
  const isCurrent = current.kind === "backward" && current.node === to && current.slot === slot;
  const isMaking = current.kind === "forward" && current.node === to;
  const passed = pass.into[from].some((each) => {
    return each <= index && pass.steps[each].node === to && pass.steps[each].slot === slot;
  });
  const state = isCurrent ? "current" : isMaking ? "making" : passed ? "passed" : "";
  const path = `M${ends[0].x},${ends[0].y}${curves.map((each) => each.path).join("")}`;
  const line = svg("path", { class: `edge ${state}`, d: path });
  mark(line, { shows: [`g:${to}:${slot}`] });
  if (!isMade(pass, to, index)) return { line, label: null };
  const local = pass.locals[to][slot];
  const text = format(local);
  const middle = curves[Math.floor(curves.length / 2)];
  line.append(svg("title", {}, `${derivativeName(pass.graph, to, slot)} = ${text}`));
  const box = freePlace(middle.at, textWidth(text), taken) ?? (isCurrent ? middle.at(0.5) : null);
  if (!box) return { line, label: null };
  const at = { x: box.x, y: box.y + 4, class: `local ${state}`, "data-local": `${to}:${slot}` };
  return { line, label: drawnNumber(local, at, text) };
}

/** The points of an edge from the side of one card to the side of another, where each slot has its port. */
function portsOf(points, slot, slots, down) {
  const side = (slot + 1) / (slots + 1) - 0.5;
  const first = points[0];
  const last = points.at(-1);
  const [start, end] = down
    ? [
        { x: first.x, y: first.y + CARD.height / 2 },
        { x: last.x + side * CARD.width * 0.7, y: last.y - CARD.height / 2 },
      ]
    : [
        { x: first.x + CARD.width / 2, y: first.y },
        { x: last.x - CARD.width / 2, y: last.y + side * CARD.height * 0.7 },
      ];
  return [start, ...points.slice(1, -1), end];
}

/** A curve that leaves and arrives along the layers' direction. */
function curve(a, b, down) {
  const [c, d] = down
    ? [
        { x: a.x, y: (a.y + b.y) / 2 },
        { x: b.x, y: (a.y + b.y) / 2 },
      ]
    : [
        { x: (a.x + b.x) / 2, y: a.y },
        { x: (a.x + b.x) / 2, y: b.y },
      ];
  const at = (t) => {
    const blend = (axis) =>
      (1 - t) ** 3 * a[axis] +
      3 * (1 - t) ** 2 * t * c[axis] +
      3 * (1 - t) * t * t * d[axis] +
      t ** 3 * b[axis];
    return { x: blend("x"), y: blend("y") };
  };
  return { path: `C${c.x},${c.y} ${d.x},${d.y} ${b.x},${b.y}`, at };
}

function drawCard(pass, index, place, { x, y }, chosen) {
  const { graph, steps } = pass;
  const node = graph.nodes[place];
  const step = steps[index];
  const made = isMade(pass, place, index);
  const sum = gradient(pass, place, index);
  const left = x - CARD.width / 2;
  const top = y - CARD.height / 2;
  const state = step.target === place ? "current" : step.node === place ? "source" : "";
  const value = (line, key, known, each) => [
    svg("text", { class: "key", x: left + 9, y: top + line }, key),
    known
      ? drawnNumber(each, { class: "value", x: left + CARD.width - 9, y: top + line, "data-key": key })
      : svg("text", { class: "value", x: left + CARD.width - 9, y: top + line, "data-key": key }, "–"),
  ];
  const size = { x: left, y: top, width: CARD.width, height: CARD.height, rx: 8 };
  const kind = node.row ? "inner" : "leaf";
  const card = svg(
    "g",
    { class: `card ${kind} ${state} ${place === chosen ? "chosen" : ""}`, "data-node": place },
    svg("title", {}, node.row ? `${node.name} = ${inNames(graph, node)}` : node.name),
    svg("rect", size),
    svg("text", { class: "name", x: left + 9, y: top + 18 }, elided(node.name, node.row ? 11 : 17)),
    node.row && svg("text", { class: "op", x: left + CARD.width - 9, y: top + 18 }, elided(node.shown, 9)),
    value(36, "data", made, pass.data[place]),
    value(52, "grad", sum !== null, sum),
    drawAccumulator(segments(pass, place, index), left + 9, top + 64, CARD.width - 18),
  );
  return card;
}

/** What has arrived, side by side: what adds stands above the line, what takes away hangs below it. */
function drawAccumulator(parts, x, y, width) {
  const whole = parts.reduce((sum, { value }) => sum + size(value), 0);
  let start = x;
  return parts.map(({ value }, place) => {
    const length = Number.isFinite(whole) && whole > 0 ? (size(value) / whole) * width : width / parts.length;
    const bar = { x: start, y: value < 0 ? y : y - 5, width: Math.max(length - 1, 0.5), height: 5 };
    start += length;
    return svg("rect", { class: `segment ${hue(place)}`, ...bar });
  });
}

// ---- the network

const RADIUS = 25;
const MOST = 10; // nodes drawn of a layer
const NUMBERS = 24; // edges with a number, the widest first

/** Which nodes of each layer are drawn: all, or those that matter most to the weight. */
function drawnNodes(net, target, flow) {
  return net.sizes.map((length, layer) => {
    const all = range(length);
    if (length <= MOST) return all;
    const crossing = (node) => {
      const edges = [...flow.keys()].filter((key) => key.startsWith(`${layer}:${node}:`));
      return edges.reduce((sum, key) => sum + flow.get(key).gross, 0);
    };
    const matter = (node) => {
      const isEnd =
        (layer === target.i && node === target.j) || (layer === target.i - 1 && node === target.k);
      return isEnd ? Infinity : layer > target.i ? crossing(node) : 0;
    };
    const weights = new Map(all.map((node) => [node, matter(node)]));
    const chosen = all.toSorted((a, b) => weights.get(b) - weights.get(a) || a - b).slice(0, MOST);
    return chosen.sort((a, b) => a - b);
  });
}

/** The places of a network's nodes, layer by layer; the error comes last. */
function planNetwork(drawn, sizes, down) {
  const layers = [...drawn, [1]];
  const rows = layers.map((layer, i) => layer.length + (i < drawn.length && layer.length < sizes[i] ? 1 : 0));
  const most = Math.max(...rows);
  const across = down ? 66 : 84;
  const along = down ? 118 : Math.max(172, 14 * most);
  const margin = down ? 34 : 44;
  const breadth = (most - 1) * across + 2 * margin + (down ? 0 : 12);
  const length = (layers.length - 1) * along + 2 * 44;
  const at = new Map();
  layers.forEach((layer, i) => {
    for (let row = 0; row < rows[i]; row++) {
      const far = 44 + i * along;
      const side = breadth / 2 + (row - (rows[i] - 1) / 2) * across - (down ? 0 : 6);
      at.set(`${i}:${layer[row] ?? "rest"}`, down ? { x: side, y: far } : { x: far, y: side });
    }
  });
  return { at, ...(down ? { width: breadth, height: length } : { width: length, height: breadth }) };
}

/** The network after a step, with what crosses each edge on the way to one weight. */
function drawNetwork(pass, net, index, target, { flow }, { down, choose }) {
  const { network } = pass.graph;
  const drawn = drawnNodes(net, target, flow);
  const plan = planNetwork(drawn, net.sizes, down);
  const now = stepInNetwork(pass, net, pass.steps[index]);
  const largest = Math.max(...[...flow.values()].map(({ gross }) => gross).filter(Number.isFinite), 0);
  const taken = [...plan.at.values()].map((middle) => boxAt(middle, 2 * RADIUS + 6, 2 * RADIUS + 22));
  const widthOf = (amount) => 1.5 + 12 * (Number.isFinite(amount) ? (largest ? amount / largest : 0) : 1);

  const halos = [];
  const lines = [];
  const labels = [];
  const links = drawn.flatMap((layer, i) => {
    const above = drawn[i + 1] ?? [1];
    return layer.flatMap((k) => above.map((j) => ({ i: i + 1, j, k, key: edgeKey(i + 1, j, k) })));
  });
  const isChosen = ({ key }) => key === edgeKey(target.i, target.j, target.k);
  const amount = (link) => (isChosen(link) ? Infinity : (flow.get(link.key)?.gross ?? -1));
  for (const link of links.toSorted((a, b) => amount(b) - amount(a))) {
    const { i, j, k, key } = link;
    const [a, b] = [plan.at.get(`${i - 1}:${k}`), plan.at.get(`${i}:${j}`)];
    const ends = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
    const crossing = flow.get(key)?.gross === 0 ? null : flow.get(key); // what carries only 0 is no path
    const weight = i <= net.depth ? pass.data[net.leaf({ i, j, k })] : null;
    const name = i <= net.depth ? NAMES.weight(i, j, k) : `the error of ${NAMES.error(net.depth, k)}`;
    const said = weight === null ? name : `${name} = ${format(weight)}`;
    const group = svg("g", { class: "link", "data-edge": key });
    group.append(svg("title", {}, crossing ? `${said}; crossed by ${signed(crossing.net)}` : said));
    if (now.has(key)) group.append(svg("line", { class: "now", ...ends, "stroke-width": 18 }));
    if (isChosen(link)) {
      group.append(svg("line", { class: "weight", ...ends, "stroke-width": 4 }));
    } else if (crossing) {
      const line = {
        ...ends,
        class: `flow ${sign(crossing.net)}`,
        "stroke-width": widthOf(size(crossing.net)),
        "data-crossing": key,
      };
      const halo = {
        ...ends,
        class: `halo ${sign(crossing.net)}`,
        "stroke-width": widthOf(crossing.gross) + 3,
        "data-crossing": key,
      };
      halos.push(svg("line", halo));
      group.append(svg("line", line));
    } else {
      group.append(svg("line", { class: "weak", ...ends }));
    }
    if (i <= net.depth) {
      const hit = svg("line", { class: "hit", ...ends, "stroke-width": 14 });
      hit.addEventListener("click", () => choose({ i, j, k }));
      group.append(hit);
    }
    mark(group, { shows: [key] });
    lines.unshift(group);
    if (!isChosen(link) && (!crossing || labels.length > NUMBERS)) continue;
    const text = isChosen(link) ? `${name} = ${format(weight, 3)}` : signed(crossing.net, 3);
    const pointAt = (t) => ({ x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y) });
    const box = freePlace(pointAt, textWidth(text), taken) ?? (isChosen(link) ? pointAt(0.5) : null);
    if (!box) continue;
    const shown = isChosen(link) ? weight : crossing.net;
    const place = { x: box.x, y: box.y + 4, "data-flow": key };
    labels.push(drawnNumber(shown, { ...place, class: `amount ${isChosen(link) ? "" : sign(shown)}` }, text));
  }

  const circles = drawn.flatMap((layer, i) => {
    return layer.map((j) => {
      const place = net.node(i, j);
      const extra = i === net.depth ? ["t", network.t[j - 1]] : null;
      const about = i ? `o[${i}][${j}]` : `x[${j}]`;
      const isTarget = (target.k === 0 && i === target.i && j === target.j) || now.has(`o:${i}:${j}`);
      const pick = i ? () => choose({ i, j, k: 0 }) : null;
      return drawCircle(pass, index, place, about, plan.at.get(`${i}:${j}`), {
        isNow: isTarget,
        down,
        extra,
        pick,
      });
    });
  });
  const error = plan.at.get(`${net.depth + 1}:1`);
  circles.push(drawCircle(pass, index, pass.root, "e", error, { isNow: now.has("e"), down }));
  const rests = drawn.flatMap((layer, i) => {
    const middle = plan.at.get(`${i}:rest`);
    return middle
      ? [svg("text", { class: "rest", x: middle.x, y: middle.y }, `+${net.sizes[i] - layer.length}`)]
      : [];
  });

  const step = pass.steps[index];
  const chosen = pass.graph.nodes[net.leaf(target)].name;
  const description =
    `Layers of ${net.sizes.join(", ")} nodes, from the input to the error. Lit are the paths from ${chosen} ` +
    `to e; the table of terms has their numbers. This step: ${statement(pass, step)}`;
  return picture("The network", description, plan, halos, lines, circles, rests, labels);
}

function drawCircle(pass, index, place, about, { x, y }, { isNow, down, extra = null, pick = null }) {
  const sum = gradient(pass, place, index);
  const text = { x, y: y + 11, class: "value", "data-key": "data" };
  const circle = svg(
    "g",
    { class: `circle ${isNow ? "current" : ""}`, "data-node": place },
    svg("title", {}, pass.graph.nodes[place].name),
    svg("circle", { cx: x, cy: y, r: RADIUS }),
    svg("text", { class: "about", x, y: y - 5 }, about),
    isMade(pass, place, index)
      ? drawnNumber(pass.data[place], text, format(pass.data[place], 3))
      : svg("text", text, "–"),
    extra &&
      drawnNumber(
        pass.data[extra[1]],
        { class: "below", x, y: y + RADIUS + 25, "data-key": "t" },
        `${extra[0]} = ${format(pass.data[extra[1]], 3)}`,
      ),
    sum !== null &&
      drawnNumber(
        sum,
        { class: "below", x, y: y + RADIUS + 13, "data-key": "grad" },
        `${down ? "" : "grad "}${signed(sum, 3)}`,
      ),
  );
  if (pick) circle.addEventListener("click", pick);
  return circle;
}

/** Which nodes and edges of the network a step is about. */
function stepInNetwork(pass, net, step) {
  const keys = pass.keys ?? (pass.keys = networkKeys(pass.graph));
  const [upper, lower] = [keys.get(step.node), keys.get(step.target)];
  const [, i, j] = upper.split(":").map(Number);
  const [kind, layer, k] = lower.split(":");
  if (upper.startsWith("o:") && kind === "o" && Number(layer) === i - 1) return new Set([edgeKey(i, j, k)]);
  return new Set([lower]);
}

/** For each node of the graph what stands for it: `o:i:j` for a circle, the key of an edge, or "e". */
function networkKeys({ nodes, network }) {
  const { x, t, w, b, z, o } = network;
  const depth = o.length;
  const keys = new Map();
  const last = Math.max(...o.at(-1));
  nodes.forEach((node, place) => {
    const edge = node.parents
      .map((parent) => keys.get(parent))
      .find((key) => key?.startsWith(`${depth + 1}:`));
    const output = o.at(-1).findIndex((each) => node.parents.includes(each)) + 1;
    keys.set(place, edge ?? (output && place > last ? edgeKey(depth + 1, 1, output) : "e"));
  });
  x.forEach((place, k) => keys.set(place, `o:0:${k + 1}`));
  t.forEach((place, j) => keys.set(place, `o:${depth}:${j + 1}`));
  o.forEach((layer, i) => {
    layer.forEach((place, j) => {
      const key = `o:${i + 1}:${j + 1}`;
      const inside = [place];
      for (const each of inside) {
        keys.set(each, key);
        if (each !== z[i][j]) inside.push(...nodes[each].parents);
      }
      keys.set(nodes[z[i][j]].parents[0], key);
      keys.set(b[i][j], key);
      w[i][j].forEach((weight, k) => keys.set(weight, edgeKey(i + 1, j + 1, k + 1)));
    });
  });
  keys.set(nodes.length - 1, "e");
  return keys;
}
