// The verifier in a module of its own memory: from bytes to a report. No network, no files.

/** Larger files are neither keys nor proofs nor openings. */
export const LARGEST_FILE = 1 << 26;

const FILES = ["key", "proof", "expected", "opening"];
const NUMBERS = ["chain", "expiry", "nonce", "validAt"];

/** What was asked for does not make sense; proofs that are refused are no errors. */
export class UsageError extends Error {
  constructor(message) {
    super(message);
    this.name = "UsageError";
  }
}

/** A verifier on the instance of a compiled module. */
export class Verifier {
  #exports;

  constructor(instance) {
    this.#exports = instance.exports;
  }

  /** A verifier on the bytes of the module, which are compiled first. */
  static async of(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes, {});
    return new Verifier(instance);
  }

  /** Checks `proof` against `key` and what is expected of it, and returns the report. */
  verify(key, proof, expected = {}) {
    const { opening, ...rest } = expected;
    const words = new TextEncoder().encode(JSON.stringify(expectation(rest)));
    const given = { key: bytes("key", key), proof: bytes("proof", proof), expected: words };
    given.opening = opening == null ? new Uint8Array() : bytes("opening", opening);
    FILES.forEach((name, place) => this.#put(place, name, given[name]));
    const length = this.#exports.zkinfer_check();
    const start = this.#exports.zkinfer_report();
    const text = new TextDecoder().decode(
      new Uint8Array(this.#exports.memory.buffer, start, length),
    );
    return JSON.parse(text);
  }

  #put(place, name, content) {
    const start = this.#exports.zkinfer_room(place, content.length);
    if (start === 0) throw new UsageError(`the ${name} does not fit into memory`);
    // Only now: making room may have moved the memory.
    new Uint8Array(this.#exports.memory.buffer).set(content, start);
  }
}

function bytes(name, content) {
  let found;
  if (typeof content === "string") found = new TextEncoder().encode(content);
  else if (content instanceof ArrayBuffer) found = new Uint8Array(content);
  else if (ArrayBuffer.isView(content)) {
    found = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  } else throw new UsageError(`the ${name} must be bytes: a Uint8Array or an ArrayBuffer`);
  if (found.length > LARGEST_FILE) {
    throw new UsageError(`the ${name} has ${found.length} bytes; at most ${LARGEST_FILE} are read`);
  }
  return found;
}

/** An expectation in the words of the module. */
function expectation(expected) {
  const words = {};
  for (const [name, value] of Object.entries(expected)) {
    if (value === undefined || value === null) continue;
    if (NUMBERS.includes(name)) words[name] = whole(name, value);
    else if (name === "input" || name === "output") words[name] = tensors(name, value);
    else words[name] = value;
  }
  return words;
}

function whole(name, value) {
  const isWhole =
    (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) ||
    (typeof value === "bigint" && value >= 0n) ||
    (typeof value === "string" && /^[0-9]+$/.test(value));
  if (!isWhole) {
    throw new UsageError(`${name}: expected a whole number (a BigInt or digits beyond 2^53)`);
  }
  return String(value);
}

/**
 * The tensors of one side: nested lists or typed arrays for the only tensor, an object by name, or
 * EZKL's `{"input_data": [[…], …]}`.
 */
export function tensors(side, value) {
  if (value !== null && typeof value === "object" && !isList(value)) {
    const data = value[`${side}_data`];
    if (isList(data)) return Array.from(data, (item) => ({ values: flat(side, item) }));
    return Object.entries(value).map(([name, item]) => ({ name, values: flat(`${side} ${name}`, item) }));
  }
  return [{ values: flat(side, value) }];
}

const isList = (value) =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

function flat(place, value) {
  const found = [];
  // Not by recursion: a file may nest deeper than the stack is.
  const rest = [value];
  while (rest.length > 0) {
    const item = rest.pop();
    if (isList(item)) for (let i = item.length - 1; i >= 0; i--) rest.push(item[i]);
    else if (typeof item === "number" && Number.isFinite(item)) found.push(item);
    else throw new UsageError(`the expected ${place} holds ${JSON.stringify(item) ?? item}, expected numbers`);
  }
  return found;
}
