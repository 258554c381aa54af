// Where the nodes of a graph stand: layer by layer, operands before what is made of them (Sugiyama's
// method in its simplest form).  Lengths are in pixels; the same graph always gets the same places.

const CARD = { width: 138, height: 76 };
const GAP = { along: 62, most: 150, across: 18 }; // the more edges, the wider between two layers
const BEND = 16; // the room that an edge takes where it passes a layer

/**
 * Places for some nodes of a graph, given in order, each after its operands.
 *
 * Returns the middle of each card, the points of each edge by its key `node:slot`, and the size.
 * `down` lays the layers below each other, not beside: for narrow windows.
 */
function layered(graph, places, down) {
  const drawn = new Set(places);
  const parentsOf = (place) => graph.nodes[place].parents;
  const links = places.flatMap((place) => {
    return parentsOf(place).flatMap((parent, slot) => {
      return drawn.has(parent) ? [{ from: parent, to: place, slot, key: `${place}:${slot}` }] : [];
    });
  });
  const layers = inLayers(ranksOf(places, links), places, links);
  order(layers);
  const [along, across] = down ? [CARD.height, CARD.width] : [CARD.width, CARD.height];
  spread(layers, across);

  const starts = startsOf(layers, along);
  const positions = layers.flat().map((item) => item.across);
  const half = across / 2 + 12;
  const least = Math.min(...positions) - half;
  const point = (item) => {
    const x = starts[item.layer] + along / 2;
    const y = item.across - least;
    return down ? { x: y, y: x } : { x, y };
  };
  const length = starts.at(-1) + along + 8;
  const breadth = Math.max(...positions) + half - least;
  return {
    at: new Map(layers.flat().flatMap((item) => (item.place === null ? [] : [[item.place, point(item)]]))),
    edges: links.map((link) => ({ ...link, points: [link.start, ...link.bends, link.end].map(point) })),
    ...(down ? { width: breadth, height: length } : { width: length, height: breadth }),
    down,
  };
}

/** Where each layer begins: numbers on many edges need room. */
function startsOf(layers, along) {
  const starts = [8];
  for (const layer of layers.slice(0, -1)) {
    const edges = layer.reduce((sum, { above }) => sum + above.length, 0);
    starts.push(starts.at(-1) + along + Math.min(Math.max(GAP.along, 9 * edges), GAP.most));
  }
  return starts;
}

/** What is made of operands comes as early as it can, a leaf just before its first use. */
function ranksOf(places, links) {
  const ranks = new Map(places.map((place) => [place, 0]));
  const made = new Set(links.map(({ to }) => to));
  for (const { from, to } of links) ranks.set(to, Math.max(ranks.get(to), ranks.get(from) + 1));
  for (const place of places) {
    const uses = links.filter(({ from }) => from === place).map(({ to }) => ranks.get(to) - 1);
    if (!made.has(place) && uses.length) ranks.set(place, Math.min(...uses));
  }
  const first = Math.min(...ranks.values());
  return new Map([...ranks].map(([place, rank]) => [place, rank - first]));
}

/** The items of each layer: its nodes, and a bend for each edge that passes it. */
function inLayers(ranks, places, links) {
  const layers = Array.from({ length: Math.max(...ranks.values()) + 1 }, () => []);
  const put = (layer, place) => {
    const item = { place, layer, across: 0, below: [], above: [] };
    layers[layer].push(item);
    return item;
  };
  const items = new Map(places.map((place) => [place, put(ranks.get(place), place)]));
  for (const link of links) {
    link.start = items.get(link.from);
    link.end = items.get(link.to);
    link.bends = [];
    for (let layer = link.start.layer + 1; layer < link.end.layer; layer++) {
      link.bends.push(put(layer, null));
    }
    const chain = [link.start, ...link.bends, link.end];
    chain.slice(1).forEach((item, place) => {
      chain[place].above.push(item);
      item.below.push(chain[place]);
    });
  }
  return layers;
}

/** Fewer crossings: each item goes to the mean place of its neighbours, forth and back. */
function order(layers) {
  const arrange = (layer, neighbours) => {
    const mean = (item) => {
      const near = neighbours(item);
      return near.length ? near.reduce((sum, { rank }) => sum + rank, 0) / near.length : item.rank;
    };
    const means = new Map(layer.map((item) => [item, mean(item)]));
    layer.sort((a, b) => means.get(a) - means.get(b)); // stable, so that ties stay as they are
    layer.forEach((item, rank) => (item.rank = rank));
  };
  for (const layer of layers) layer.forEach((item, rank) => (item.rank = rank));
  for (let round = 0; round < 8; round++) {
    for (const layer of layers) arrange(layer, ({ below }) => below);
    for (const layer of layers.toReversed()) arrange(layer, ({ above }) => above);
  }
}

/** Straighter edges: each item as near to the mean of its neighbours as its layer leaves room. */
function spread(layers, across) {
  const room = (item) => (item.place === null ? BEND : across + GAP.across);
  for (const layer of layers) {
    let edge = 0;
    for (const item of layer) {
      item.across = edge + room(item) / 2;
      edge += room(item);
    }
    for (const item of layer) item.across -= edge / 2;
  }
  for (let round = 0; round < 12; round++) {
    for (const layer of round % 2 ? layers : layers.toReversed()) {
      const wanted = layer.map((item) => {
        const near = [...item.below, ...item.above];
        return near.length ? near.reduce((sum, each) => sum + each.across, 0) / near.length : item.across;
      });
      const apart = (a, b) => (room(layer[a]) + room(layer[b])) / 2;
      const forth = [...wanted];
      for (let k = 1; k < layer.length; k++) forth[k] = Math.max(forth[k], forth[k - 1] + apart(k - 1, k));
      const back = [...wanted];
      for (let k = layer.length - 2; k >= 0; k--) back[k] = Math.min(back[k], back[k + 1] - apart(k, k + 1));
      layer.forEach((item, k) => (item.across = (forth[k] + back[k]) / 2));
    }
  }
}

/**
 * The nodes around one, nearest first, as many as there is room for; in the graph's order.  Of a node
 * that is used often only a few uses, the next ones, or there would be nothing else.
 */
function around(graph, users, centre, most) {
  const found = new Set([centre]);
  for (const place of found) {
    const uses = users[place].toSorted((a, b) => Math.abs(a - centre) - Math.abs(b - centre)).slice(0, 3);
    for (const near of [...uses, ...graph.nodes[place].parents]) {
      if (found.size === most) return [...found].sort((a, b) => a - b);
      found.add(near);
    }
  }
  return [...found].sort((a, b) => a - b);
}
