// From numbers to places and to text.

const MINUS = "\u2212";

function scale(low, high, start, end) {
  const unit = (end - start) / (high - low || 1);
  const at = (value) => start + (value - low) * unit;
  at.inverse = (place) => low + (place - start) / unit;
  return at;
}

// The places of an axis' values between 0 and 1, spaced as the axis is.
function shares(axis) {
  const spaced = axis.scale === "log" ? axis.places.map(Math.log) : axis.places;
  const low = Math.min(...spaced), span = Math.max(...spaced) - low || 1;
  return spaced.map((place) => (spaced.length > 1 ? (place - low) / span : 0.5));
}

function niceTicks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
    ticks.push(Number((k * step).toPrecision(12)));
  }
  return ticks;
}

// 100000 as 100k; tiny numbers with an exponent.
function short(value, thousands = 1e4) {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "–";
  for (const [unit, name, least] of [[1e9, "G", 1e9], [1e6, "M", 1e6], [1e3, "k", thousands]]) {
    if (size >= least) return plain(value / unit) + name;
  }
  if (size > 0 && size < 1e-3) return value.toExponential(2).replace("e-", `e${MINUS}`);
  return plain(value);
}

function plain(value) {
  const digits = Math.abs(value) >= 1000 ? 6 : 4;
  return String(Number(value.toPrecision(digits))).replace("-", MINUS);
}

const counted = (number, noun, many = `${noun}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? noun : many}`;

// Finite numbers, and the range of those that are not far outliers below.
function robustRange(values) {
  const known = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (!known.length) return [0, 1];
  const high = known.at(-1);
  const most = known[Math.floor(known.length * 0.04)];
  const low = known[0] < most - 2 * (high - most) && high > most ? most : known[0];
  const room = 0.05 * (high - low || Math.abs(high) || 1);
  return [low - room, high + room];
}

// A score's colour: even in lightness, in one hue, the best farthest from the paper. Names of CSS,
// so that the theme may change under a drawing.
function ramp(share) {
  const place = 100 * Math.min(Math.max(share, 0), 1);
  const [from, to, part] = place < 50 ? ["worst", "middle", 2 * place] : ["middle", "best", 2 * place - 100];
  return `color-mix(in oklab, var(--ramp-${to}) ${part.toFixed(0)}%, var(--ramp-${from}))`;
}

const DASHES = ["", "7 3", "2 2"];
const strokeOf = (order) => `var(--series-${order % PALETTE_SIZE})`;
const dashOf = (order) => DASHES[Math.floor(order / PALETTE_SIZE) % DASHES.length];
