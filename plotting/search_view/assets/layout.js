// As `tidy` of plotting/search_view/layout.py, whose page has the source and the laws.

const SIBLINGS = 1, COUSINS = 1.4;

// As `level_heights` there.
const MANY = 40, SPARSE = 0.08, LOWEST = 0.25;

function levelHeights(counts) {
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  return counts.map((n) => (most < MANY ? 1 : Math.min(1, Math.max(LOWEST, n / (SPARSE * most)))));
}

function tidy(children) {
  const count = children.length;
  const zeros = () => new Float64Array(count);
  const [prelim, modifier, shifts, changes, middle, above] = Array.from({length: 6}, zeros);
  const thread = new Int32Array(count).fill(-1);
  const ancestor = Int32Array.from({length: count}, (_, k) => k);
  const parent = new Int32Array(count).fill(-1), position = new Int32Array(count);
  children.forEach((below, node) => below.forEach((child, k) => { parent[child] = node; position[child] = k; }));
  const left = (node) => (children[node].length ? children[node][0] : thread[node]);
  const right = (node) => (children[node].length ? children[node].at(-1) : thread[node]);

  function push(child, before, first, fallback) {
    let innerLeft = before, innerRight = child, outerLeft = first, outerRight = child;
    let inLeft = modifier[before], inRight = modifier[child], outLeft = modifier[first], outRight = modifier[child];
    let nextLeft, nextRight;
    while ((nextLeft = right(innerLeft), nextRight = left(innerRight), nextLeft >= 0 && nextRight >= 0)) {
      innerLeft = nextLeft;
      innerRight = nextRight;
      outerLeft = left(outerLeft);
      outerRight = right(outerRight);
      ancestor[outerRight] = child;
      const overlap = prelim[innerLeft] + inLeft + COUSINS - prelim[innerRight] - inRight;
      if (overlap > 0) {
        const own = ancestor[innerLeft];
        const mover = parent[own] === parent[child] ? own : fallback;
        const share = overlap / (position[child] - position[mover]);
        changes[child] -= share;
        shifts[child] += overlap;
        changes[mover] += share;
        prelim[child] += overlap;
        modifier[child] += overlap;
        inRight += overlap;
        outRight += overlap;
      }
      inLeft += modifier[innerLeft];
      inRight += modifier[innerRight];
      outLeft += modifier[outerLeft];
      outRight += modifier[outerRight];
    }
    if (nextLeft >= 0 && right(outerRight) < 0) {
      thread[outerRight] = nextLeft;
      modifier[outerRight] += inLeft - outRight;
    }
    if (nextRight >= 0 && left(outerLeft) < 0) {
      thread[outerLeft] = nextRight;
      modifier[outerLeft] += inRight - outLeft;
      return child;
    }
    return fallback;
  }

  for (let node = count - 1; node >= 0; node -= 1) {
    const below = children[node];
    if (!below.length) continue;
    let fallback = below[0];
    below.forEach((child, k) => {
      if (k === 0) prelim[child] = middle[child];
      else {
        prelim[child] = prelim[below[k - 1]] + SIBLINGS;
        if (children[child].length) modifier[child] = prelim[child] - middle[child];
        fallback = push(child, below[k - 1], below[0], fallback);
      }
    });
    let shift = 0, change = 0;
    for (const child of below.toReversed()) {
      prelim[child] += shift;
      modifier[child] += shift;
      change += changes[child];
      shift += shifts[child] + change;
    }
    middle[node] = (prelim[below[0]] + prelim[below.at(-1)]) / 2;
  }
  prelim[0] = middle[0];
  let least = Infinity;
  children.forEach((below, node) => {
    least = Math.min(least, prelim[node] + above[node]);
    for (const child of below) above[child] = above[node] + modifier[node];
  });
  return prelim.map((value, node) => value + above[node] - least);
}
