// Draws the shown tree: pictures where they are large enough to see, else marks, else points.

const tree = byId("tree"), canvas = byId("canvas");
const pen = canvas.getContext("2d");
const FONT = 'px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const LEAST_PICTURE = 22, LEAST_SHAPE = 2.4, LEAST_TEXT = counted ? 40 : 46;
const RAMP_STEPS = 24;
const pictures = record.images.map(() => null);
let colours = {}, waiting = false;
const screenX = new Float64Array(count), screenY = new Float64Array(count);

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const get = (key) => style.getPropertyValue(`--${key}`).trim();
  const keys = ["open", "solved", "pruned", "terminated", "truncated", "cached", "lost", "chosen", "edge",
    "plate", "ink", "quiet", "card", "accent", "grid"];
  colours = Object.fromEntries(keys.map((key) => [key, get(key)]));
  colours.ramp = ramp(["low", "middle", "high"].map((key) => rgb(get(key))));
}
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
function ramp(stops) {
  return Array.from({length: RAMP_STEPS}, (_, k) => {
    const at = 2 * k / (RAMP_STEPS - 1), i = Math.min(Math.floor(at), 1);
    const mix = stops[i].map((low, c) => Math.round(low + (at - i) * (stops[i + 1][c] - low)));
    return `rgb(${mix.join(",")})`;
  });
}

function picture(k) {
  const index = nodes.image[k];
  if (index < 0) return null;
  if (!pictures[index]) {
    pictures[index] = new Image();
    pictures[index].onload = repaint;
    pictures[index].src = record.images[index];
  }
  return pictures[index];
}

const anyPicture = counted || nodes.image.some((index) => index >= 0);
function markSize(a, b) {
  const side = Math.min(0.8 * a, 0.58 * b);
  if (anyPicture && side >= LEAST_PICTURE) return {radius: side / 2, picture: true};
  return {radius: Math.max(0.8, Math.min(0.42 * a, 0.3 * b, anyPicture ? 9 : 13)), picture: false};
}

// Of what is coloured by a number: the place of every node on the ramp, and what its ends are.
let shades = null, shadesSaid = "";
function readShades() {
  const values = state.colour === "state" ? null : nodes[state.colour];
  if (!values) {
    shades = null;
    shadesSaid = "";
    return;
  }
  const finite = values.filter((value) => value !== null);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  shadesSaid = `${COLOURS[state.colour]} from ${number(low)}, faint, to ${number(high)}, strong`;
  shades = values.map((value) => (value === null || high === low ? 0 : Math.round((RAMP_STEPS - 1) * (value - low) / (high - low))));
}
const colourOf = (k) => (shades ? colours.ramp[shades[k]] : colours[kind(k)]);
const stepsBack = (k) => state.alone.size > 0 && ![...state.alone].some((flag) => has[flag](k));

function repaint() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(paint);
}

function paint() {
  waiting = false;
  const began = performance.now();
  const [width, height] = size(), ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const [a, b] = spacing();
  const mark = markSize(a, b), rungs = ladder();
  const drawn = [];
  const reach = mark.radius + 30;
  for (const k of shown) {
    if (k >= state.order) break;
    const u = across[k] * a + camera.across, v = rungs[nodes.depth[k]] * b + camera.along;
    const x = screenX[k] = state.right ? v : u, y = screenY[k] = state.right ? u : v;
    if (x > -reach && y > -reach && x < width + reach && y < height + reach) drawn.push(k);
  }
  edges(width, height, mark);
  if (mark.picture) for (const k of drawn) paintPicture(k, mark.radius);
  else marks(drawn, mark.radius);
  for (const k of drawn) paintBeside(k, mark, Math.min(a, b));
  if (mark.picture && 2 * mark.radius >= LEAST_TEXT) for (const k of drawn) texts(k, mark.radius, a);
  rings(mark.radius);
  placeItem(mark.radius);
  tree.dataset.direction = state.right ? "right" : "down";
  tree.dataset.drawn = drawn.length;
  tree.dataset.milliseconds = (performance.now() - began).toFixed(1);
}

// Of a search that counts visits an edge is as wide as it was visited; edges of one look are one path.
const WIDTHS = 6;
const widthStep = (k) => (counted ? Math.ceil(WIDTHS * Math.sqrt(Math.min(1, nodes.visits[k] / Math.max(nodes.visits[0], 1)))) : 0);

function edges(width, height, mark) {
  const lines = new Map();
  const fine = mark.radius >= 4;
  for (const k of shown) {
    if (k >= state.order) break;
    if (k === 0) continue;
    const p = nodes.parent[k];
    const [x1, y1, x2, y2] = [screenX[p], screenY[p], screenX[k], screenY[k]];
    if (Math.max(x1, x2) < 0 || Math.min(x1, x2) > width || Math.max(y1, y2) < 0 || Math.min(y1, y2) > height) continue;
    const what = onPath[k] ? "chosen" : stepsBack(k) ? "back" : fine && nodes.pruned[k] ? "pruned" : "plain";
    const key = `${what} ${widthStep(k)}`;
    if (!lines.has(key)) lines.set(key, {what, step: widthStep(k), line: new Path2D()});
    const {line} = lines.get(key);
    line.moveTo(x1, y1);
    if (mark.radius > 6) { // a curve leaves the fan of children readable
      if (state.right) line.bezierCurveTo((x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2);
      else line.bezierCurveTo(x1, (y1 + y2) / 2, x2, (y1 + y2) / 2, x2, y2);
    } else line.lineTo(x2, y2);
  }
  const thin = mark.radius < 2 ? 0.6 : 1.2, thick = Math.max(2, Math.min(4.5, mark.radius));
  const ordered = ["back", "plain", "pruned", "chosen"];
  for (const {what, step, line} of [...lines.values()].sort((p, q) => ordered.indexOf(p.what) - ordered.indexOf(q.what))) {
    const chosen = what === "chosen";
    pen.strokeStyle = chosen ? colours.chosen : colours.edge;
    pen.lineWidth = (chosen && !counted ? thick : thin) + 1.5 * thick * step / WIDTHS;
    pen.globalAlpha = what === "back" ? 0.35 : 1;
    pen.setLineDash(what === "pruned" ? [3, 3] : []);
    pen.stroke(line);
  }
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

// The shape says what a node is, also without colour.
function shape(line, what, x, y, r) {
  if (what === "pruned") {
    line.moveTo(x - r, y - r);
    line.lineTo(x + r, y + r);
    line.moveTo(x - r, y + r);
    line.lineTo(x + r, y - r);
  } else if (what === "terminated") line.rect(x - r, y - r, 2 * r, 2 * r);
  else if (what === "truncated") {
    line.moveTo(x, y - 1.3 * r);
    line.lineTo(x + 1.3 * r, y);
    line.lineTo(x, y + 1.3 * r);
    line.lineTo(x - 1.3 * r, y);
    line.closePath();
  } else {
    line.moveTo(x + r, y);
    line.arc(x, y, r, 0, 2 * Math.PI);
  }
}

function fillShape(to, line, what, colour, r) {
  to.strokeStyle = to.fillStyle = colour;
  to.lineWidth = Math.max(1.2, 0.32 * r);
  if (what === "open") {
    to.fillStyle = colours.card;
    to.fill(line);
  } else if (what !== "pruned") to.fill(line);
  if (what === "open" || what === "pruned") to.stroke(line);
}

// Marks of one look are one path.
function marks(drawn, r) {
  const looks = new Map();
  for (const k of drawn) {
    const what = kind(k), colour = colourOf(k), back = stepsBack(k);
    const key = `${what}|${colour}|${back}`;
    if (!looks.has(key)) looks.set(key, {what, colour, back, line: new Path2D()});
    const {line} = looks.get(key);
    const small = what === "pruned" ? 0.72 * r : r;
    if (r < LEAST_SHAPE) line.rect(screenX[k] - small, screenY[k] - small, 2 * small, 2 * small);
    else shape(line, what, screenX[k], screenY[k], small);
  }
  const ordered = [...looks.values()].sort((p, q) => q.back - p.back || (q.what === "pruned") - (p.what === "pruned"));
  for (const {what, colour, back, line} of ordered) {
    pen.globalAlpha = back ? 0.18 : 1;
    if (r < LEAST_SHAPE) {
      pen.fillStyle = colour;
      pen.fill(line);
    } else fillShape(pen, line, what, colour, r);
  }
  pen.globalAlpha = 1;
}

function paintPicture(k, r) {
  const x = screenX[k], y = screenY[k], what = kind(k), found = picture(k);
  pen.globalAlpha = stepsBack(k) ? 0.18 : 1;
  pen.fillStyle = colours.grid;
  pen.fillRect(x - r, y - r, 2 * r, 2 * r);
  if (found?.complete && found.naturalWidth) {
    const scale = 2 * r / Math.max(found.naturalWidth, found.naturalHeight);
    const w = scale * found.naturalWidth, h = scale * found.naturalHeight;
    pen.imageSmoothingEnabled = scale < 1;
    pen.globalAlpha *= what === "pruned" ? 0.5 : 1;
    pen.drawImage(found, x - w / 2, y - h / 2, w, h);
    pen.globalAlpha = stepsBack(k) ? 0.18 : 1;
  } else if (counted) numbers(k, x, y, r);
  pen.strokeStyle = colourOf(k);
  pen.lineWidth = onPath[k] || shades ? 4 : what === "open" ? 1.5 : 2.5;
  if (what === "pruned") pen.setLineDash([4, 3]);
  pen.strokeRect(x - r, y - r, 2 * r, 2 * r);
  pen.setLineDash([]);
  if (what !== "open") {
    const badge = Math.min(6, 0.24 * r), bx = x - r + badge + 3, by = y + r - badge - 3;
    pen.fillStyle = colours.plate;
    pen.fillRect(bx - badge - 3, by - badge - 3, 2 * badge + 6, 2 * badge + 6);
    const line = new Path2D();
    shape(line, what, bx, by, badge);
    fillShape(pen, line, what, colours[what], 1.6 * badge);
  }
  pen.globalAlpha = 1;
}

// What is known of a state that has no picture: visits, and below them its return.
function numbers(k, x, y, r) {
  const line = (text, at, weight, pixels, colour) => {
    pen.font = `${weight} ${Math.min(pixels, pixels * 1.7 * r / Math.max(1, 0.55 * pixels * text.length))}${FONT}`;
    pen.fillStyle = colour;
    pen.fillText(text, x, at);
  };
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  line(String(nodes.visits[k]), y - 0.34 * r, 700, 0.62 * r, colours.ink);
  line(brief(nodes.return[k]), y + 0.42 * r, 500, 0.5 * r, colours.quiet);
}

// A ring for what was kept from the tree before, a triangle for a life lost, the sign of a reward.
function paintBeside(k, {radius, picture}, least) {
  const x = screenX[k], y = screenY[k];
  pen.globalAlpha = stepsBack(k) ? 0.18 : 1;
  if (nodes.cached[k] && radius >= LEAST_SHAPE) cachedRing(pen, x, y, radius, picture);
  if (nodes.life_lost[k] && radius >= LEAST_SHAPE) {
    const r = Math.min(6, Math.max(3, 0.6 * radius));
    const out = picture ? radius - r : radius + r - 1;
    lostMark(pen, x + out, y - out, r);
  }
  if (rewarded(k) && radius >= 3.5 && !(picture && 2 * radius >= LEAST_TEXT)) {
    rewardMark(pen, x + radius + 2, y + radius + 2, nodes.reward[k], Math.min(13, 2.6 * radius));
  }
  if (isClosed(k) && least >= 7) hiddenCount(k, radius);
  pen.globalAlpha = 1;
}

function cachedRing(to, x, y, r, square) {
  to.strokeStyle = colours.cached;
  to.lineWidth = 1.3;
  to.beginPath();
  if (square) to.rect(x - r - 4, y - r - 4, 2 * r + 8, 2 * r + 8);
  else to.arc(x, y, r + 3, 0, 2 * Math.PI);
  to.stroke();
}

function lostMark(to, x, y, r) {
  to.fillStyle = colours.lost;
  to.strokeStyle = colours.card;
  to.lineWidth = 1;
  to.beginPath();
  to.moveTo(x - r, y - 0.8 * r);
  to.lineTo(x + r, y - 0.8 * r);
  to.lineTo(x, y + r);
  to.closePath();
  to.fill();
  to.stroke();
}

function rewardMark(to, x, y, reward, pixels) {
  to.font = `700 ${pixels}${FONT}`;
  to.textAlign = "center";
  to.textBaseline = "middle";
  to.lineWidth = 3;
  to.lineJoin = "round";
  to.strokeStyle = colours.card;
  to.fillStyle = colours.ink;
  const sign = reward > 0 ? "+" : "−";
  to.strokeText(sign, x, y);
  to.fillText(sign, x, y);
}

function plate(text, x, y, colour, weight = 500) {
  pen.font = `${weight} 10.5${FONT}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const width = pen.measureText(text).width + 8;
  pen.fillStyle = colours.plate;
  pen.beginPath();
  pen.roundRect(x - width / 2, y - 7.5, width, 15, 4);
  pen.fill();
  pen.fillStyle = colour;
  pen.fillText(text, x, y + 0.5);
  return width;
}

function hiddenCount(k, r) {
  const text = `+${below[k]}`;
  const [x, y] = state.right ? [screenX[k] + r + 14, screenY[k]] : [screenX[k], screenY[k] + r + 13];
  const width = plate(text, x, y, colours.accent, 700);
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.roundRect(x - width / 2, y - 7.5, width, 15, 7);
  pen.stroke();
}

// The action, and the reward where there is one; below, what the node promises.
function texts(k, r, room) {
  const x = screenX[k], y = screenY[k], gap = nodes.cached[k] ? 13 : 10;
  pen.globalAlpha = stepsBack(k) ? 0.18 : 1;
  if (k > 0) {
    const reward = rewarded(k) ? ` ${signed(counted ? Number(nodes.reward[k].toFixed(2)) : nodes.reward[k])}` : "";
    const most = Math.max(3, Math.floor((state.right ? 2 * r + 30 : room - 6) / 6.4) - reward.length);
    const action = name(k).length > most ? `${name(k).slice(0, most - 1)}…` : name(k);
    plate(action + reward, x, y - r - gap, onPath[k] ? colours.chosen : reward ? colours.ink : colours.quiet, reward || onPath[k] ? 700 : 500);
  }
  if (nodes.return[k] !== 0 && !counted && (!isClosed(k) || state.right)) plate(`R ${number(nodes.return[k])}`, x, y + r + gap, colours.quiet);
  pen.globalAlpha = 1;
}

function rings(r) {
  const ring = (k, colour, width, gap) => {
    if (k < 0 || !isShown[k] || k >= state.order) return;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.strokeRect(screenX[k] - r - gap, screenY[k] - r - gap, 2 * (r + gap), 2 * (r + gap));
  };
  if (state.order < count) ring(state.order - 1, colours.lost, 2, 6);
  ring(state.hovered, colours.quiet, 1.5, 3);
  ring(state.selected, colours.ink, 2.5, 6);
}
