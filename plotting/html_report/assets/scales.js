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

const score = (value) => (value === null || Number.isNaN(value) ? "–" : short(value, 1e5));
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

// Cividis (Nuñez, Anderton & Renslow 2018): even in lightness, the same to colour-blind eyes.
const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

function cividis(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const from = CIVIDIS[Math.floor(place)], to = CIVIDIS[Math.ceil(place)];
  const mixed = from.map((c, k) => Math.round(c + (to[k] - c) * (place % 1)));
  return {css: `rgb(${mixed.join(" ")})`, dark: share < 0.55};
}

const DASHES = ["", "7 3", "2 2"];
const strokeOf = (order) => `var(--series-${order % PALETTE_SIZE})`;
const dashOf = (order) => DASHES[Math.floor(order / PALETTE_SIZE) % DASHES.length];
