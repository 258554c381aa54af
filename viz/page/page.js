// The page: one state, one `render`.  Whatever a reader does changes the state by `set`, and all that
// is shown follows from the state; only what is pointed at is marked without drawing again.

const graph = JSON.parse(document.getElementById("graph").textContent);
for (const node of graph.nodes) node.parents = node.operands.filter(isNode);
const users = graph.nodes.map(() => []);
graph.nodes.forEach(({ parents }, place) => parents.forEach((parent) => users[parent].push(place)));

const BEAT = 900; // milliseconds, while playing

const network = graph.network;
const leaves = graph.nodes.flatMap((node, place) => (node.row ? [] : [place]));
const $ = (id) => document.getElementById(id);
const narrow = window.matchMedia("(max-width: 760px)");

const state = {
  view: network ? "network" : "graph",
  index: graph.schedule.length - 1, // of the step
  wrong: null, // of the step of the pass without an order; set when that view is opened
  changed: new Map(), // leaf -> its new number
  refused: null, // {leaf, text, message}: a number that cannot be taken
  node: null, // whose accumulator is shown; null: that of the step's
  leaf: leaves[0], // edited beside the listed ones
  target: network?.target,
  way: "output",
  playing: null,
};

// ---- what follows from the state

const paths = pathsOf(graph);

let passes = passesFor(recorded(graph));

function passesFor(numbers) {
  const right = carriedOut(graph, numbers, graph.schedule, paths);
  const wrong = graph.naive.schedule && carriedOut(graph, numbers, graph.naive.schedule);
  return { right, wrong, net: network && factorsOf(right) };
}

/** Take a leaf's new number; where the graph has no value for it, say so and keep what was. */
function change(leaf, text) {
  const value = parsed(text);
  const refuse = (message) => set({ refused: { leaf, text, message } });
  if (value === null) return refuse(`“${text}” is not a number such as 0.5, -2 or 1/3`);
  const changed = new Map(state.changed).set(leaf, value);
  const original = recorded(graph);
  if (value === original.data[leaf]) changed.delete(leaf);
  try {
    passes = passesFor(
      changed.size
        ? recalculated(
            graph,
            original.data.map((x, k) => changed.get(k) ?? x),
          )
        : original,
    );
  } catch (error) {
    if (!(error instanceof NoValue)) throw error;
    return refuse(
      `${error.message}. The page keeps ${graph.nodes[leaf].name} = ${format(passes.right.data[leaf])}.`,
    );
  }
  return set({ changed, refused: null });
}

function parsed(text) {
  const match = /^\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*(?:\/\s*([\d.]+)\s*)?$/i.exec(text.replace("−", "-"));
  const value = match ? Number(match[1]) / Number(match[2] ?? 1) : NaN;
  return Number.isFinite(value) ? value : null;
}

const current = () => (state.view === "why" && passes.wrong ? passes.wrong : passes.right);
const position = () => (current() === passes.wrong ? state.wrong : state.index);
const focus = () => state.node ?? passes.right.steps[state.index].target;

// ---- changing the state

function set(changes) {
  Object.assign(state, changes);
  render();
}

function moveTo(index) {
  const last = current().steps.length - 1;
  const to = Math.min(Math.max(index, firstStep()), last);
  set(current() === passes.wrong ? { wrong: to } : { index: to });
}

/** Both passes go forward alike: they part at the seed. */
const firstStep = () => (current() === passes.wrong ? passes.wrong.into[passes.wrong.root][0] : 0);

function open(view) {
  const early = passes.wrong ? firstEarly(passes.wrong, passes.right) : -1;
  const start = passes.wrong && (early >= 0 ? early : passes.wrong.steps.length - 1);
  set({ view, wrong: state.wrong ?? start });
}

function play(on) {
  clearInterval(state.playing);
  if (!on) return set({ playing: null });
  if (position() === current().steps.length - 1) moveTo(0);
  const beat = () => (position() < current().steps.length - 1 ? moveTo(position() + 1) : play(false));
  return set({ playing: setInterval(beat, BEAT) });
}

// ---- pointing: a term or a bracket lights its edges, and an edge whatever it is part of

const marks = new WeakMap();

/** `shows` are the edges that an element is, or is about; a row lights all of `lights`. */
function mark(element, { shows, lights = shows, isText = false }) {
  marks.set(element, { shows, lights, isText });
  element.classList.add("markable");
}

function light(event) {
  const pointed = event.target instanceof Element && event.target.closest(".markable");
  const source = pointed && marks.get(pointed);
  const keys = new Set(source?.lights);
  for (const element of document.querySelectorAll(".markable")) {
    const { shows, isText } = marks.get(element);
    const isLit =
      element === pointed || (source && isText !== source.isText && shows.some((key) => keys.has(key)));
    element.classList.toggle("lit", Boolean(isLit));
  }
  $("stage").classList.toggle("lighting", Boolean(source));
}

// ---- showing it

function render() {
  const focused = document.activeElement?.dataset?.key;
  renderSteps();
  renderViews();
  renderGradient();
  renderAccumulator();
  renderLeaves();
  $("stage").classList.remove("lighting"); // what was lit is drawn anew
  if (focused && !document.activeElement?.dataset?.key) {
    document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }
}

// ---- what a reader does

function listen() {
  $("first").addEventListener("click", () => moveTo(0));
  $("back").addEventListener("click", () => moveTo(position() - 1));
  $("next").addEventListener("click", () => moveTo(position() + 1));
  $("last").addEventListener("click", () => moveTo(Infinity));
  $("play").addEventListener("click", () => play(!state.playing));
  $("slider").addEventListener("input", () => moveTo(Number($("slider").value)));
  $("reset").addEventListener("click", reset);
  $("node").addEventListener("change", () =>
    set({ node: $("node").value === "" ? null : Number($("node").value) }),
  );
  $("leaf").addEventListener("change", () => set({ leaf: Number($("leaf").value) }));
  for (const view of Object.keys(VIEWS)) $(`tab-${view}`).addEventListener("click", () => open(view));
  for (const way of Object.keys(WAYS)) $(`way-${way}`).addEventListener("change", () => set({ way }));
  for (const id of ["target-i", "target-j", "target-k"]) {
    $(id).addEventListener("change", () => {
      const [i, j, k] = ["target-i", "target-j", "target-k"].map((each) => Number($(each).value));
      const { sizes } = network;
      set({ target: { i, j: Math.min(j, sizes[i]), k: Math.min(k, sizes[i - 1]) } });
    });
  }
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, light);
  document.addEventListener("keydown", onKey);
  narrow.addEventListener("change", render);
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const { target, key } = event;
  if (target.getAttribute?.("role") === "tab") return onTabKey(event);
  const isOwn = target.matches("select, input") && target.id !== "slider";
  const scrolls = target.matches(".scroll") && target.scrollWidth > target.clientWidth;
  if (isOwn || (scrolls && key.startsWith("Arrow"))) return;
  const moves = { ArrowRight: position() + 1, ArrowLeft: position() - 1, Home: 0, End: Infinity };
  if (key in moves) {
    event.preventDefault();
    moveTo(moves[key]);
  }
  if (key === " " && !target.matches("button, summary")) {
    event.preventDefault();
    play(!state.playing);
  }
}

function onTabKey(event) {
  const views = Object.keys(VIEWS).filter((view) => !$(`tab-${view}`).hidden);
  const at = views.indexOf(state.view);
  const moves = { ArrowRight: at + 1, ArrowLeft: at - 1 + views.length, Home: 0, End: views.length - 1 };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const view = views[moves[event.key] % views.length];
  open(view);
  $(`tab-${view}`).focus();
}

listen();
render();
