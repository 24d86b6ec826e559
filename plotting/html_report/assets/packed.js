// Numbers that packed.py wrote: [low, step, pairs of characters], or four characters a number.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGITS = new Map([...ALPHABET].map((character, digit) => [character, digit]));
const NOT_A_NUMBER = 4095;

function unpack(packed) {
  return typeof packed === "string" ? unpackFloats(packed) : unpackSteps(...packed);
}

function unpackSteps(low, step, characters) {
  return Array.from({length: characters.length / 2}, (_, k) => {
    const code = 64 * DIGITS.get(characters[2 * k]) + DIGITS.get(characters[2 * k + 1]);
    return code === NOT_A_NUMBER ? NaN : low + code * step;
  });
}

// the upper 24 bits of a float32, most significant first
function unpackFloats(characters) {
  const octets = atob(characters);
  const view = new DataView(new ArrayBuffer(4));
  return Array.from({length: octets.length / 3}, (_, k) => {
    for (const place of [0, 1, 2]) view.setUint8(place, octets.charCodeAt(3 * k + place));
    return view.getFloat32(0);
  });
}
