/**
 * The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).
 *
 * The code is canonical: codes are assigned by length, and within a length by symbol. So the lengths define all of it.
 */

/** The length in bits of each symbol's code: 256 bytes, and EOS. */
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const EOS = 256;

const codes = new Uint32Array(257);
{
  const order = [...lengths.keys()].sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    const next = lengths[symbol] as number;
    code <<= next - length;
    length = next;
    codes[symbol] = code++;
  }
}

/** The decoder's steps, four bits at a time. For each state and nibble: the next state, whether a symbol ends, and which. */
const EMITS = 1 << 8;
const FAILS = 1 << 9;
const STATE = 10;
const steps = new Int32Array(16 * 256);
/** Whether a string may end in a state: only fewer than eight bits of padding are left, which are all 1. */
const mayEnd = new Uint8Array(256);
{
  // A node is a state: its two children are nodes, or symbols as ~symbol.
  const children: [number, number][] = [[0, 0]];
  for (let symbol = 0; symbol <= EOS; symbol++) {
    const length = lengths[symbol] as number;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const side = ((codes[symbol] as number) >>> bit) & 1;
      const pair = children[node] as [number, number];
      if (pair[side] === 0) pair[side] = children.push([0, 0]) - 1;
      node = pair[side] as number;
    }
    (children[node] as [number, number])[(codes[symbol] as number) & 1] = ~symbol;
  }
  for (let state = 0; state < children.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let step = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const next = (children[node] as [number, number])[(nibble >>> bit) & 1] as number;
        if (next >= 0) node = next;
        else {
          // The shortest code has five bits: no nibble ends two symbols.
          step = ~next === EOS ? FAILS : EMITS | ~next;
          node = 0;
        }
      }
      steps[state * 16 + nibble] = (node << STATE) | step;
    }
  }
  let node = 0;
  for (let bits = 0; bits < 8; bits++) {
    mayEnd[node] = 1;
    node = (children[node] as [number, number])[1];
  }
}

/** Decodes into `target`, which must have room for 8/5 of the bytes. Returns the decoded length, or -1 if the code is not valid. */
export function decodeHuffman(source: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = source[at] as number;
    let step = steps[(state << 4) | (byte >>> 4)] as number;
    if (step & EMITS) target[length++] = step & 0xff;
    else if (step & FAILS) return -1;
    state = step >>> STATE;
    step = steps[(state << 4) | (byte & 15)] as number;
    if (step & EMITS) target[length++] = step & 0xff;
    else if (step & FAILS) return -1;
    state = step >>> STATE;
  }
  return mayEnd[state] === 1 ? length : -1;
}

/** Returns the encoded length of a string of latin1 characters. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits += lengths[text.charCodeAt(at) & 0xff] as number;
  return (bits + 7) >>> 3;
}

/** Encodes a string of latin1 characters into `target` at `at`. Returns the position after it. */
export function encodeHuffman(text: string, target: Uint8Array, at: number): number {
  let held = 0;
  let bits = 0;
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 0xff;
    let length = lengths[symbol] as number;
    const code = codes[symbol] as number;
    // Up to seven bits are held and codes have up to 30: long codes are taken in two parts, so that 32 bits are enough.
    if (length > 24) {
      held = (held << (length - 16)) | (code >>> 16);
      bits += length - 16;
      for (; bits >= 8; bits -= 8) target[at++] = held >>> (bits - 8);
      held &= 0xff;
      length = 16;
    }
    held = (held << length) | (code & (2 ** length - 1));
    bits += length;
    for (; bits >= 8; bits -= 8) target[at++] = held >>> (bits - 8);
    held &= 0xff;
  }
  if (bits > 0) target[at++] = (held << (8 - bits)) | (0xff >>> bits);
  return at;
}
