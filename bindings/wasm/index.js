// Checks zkinfer proofs in Node and in browsers.

import { UsageError, Verifier } from "./core.js";

export { LARGEST_FILE, UsageError, Verifier } from "./core.js";

const ADDRESS = new URL("./zkinfer_wasm.wasm", import.meta.url);
let loaded;

/** The module's bytes, from beside this file. */
async function moduleBytes() {
  if (ADDRESS.protocol === "file:" && typeof process !== "undefined") {
    const { readFile } = await import("node:fs/promises");
    return readFile(ADDRESS);
  }
  const answer = await fetch(ADDRESS);
  if (!answer.ok) throw new Error(`the verifier cannot be loaded: ${answer.status}`);
  return answer.arrayBuffer();
}

/** Loads the verifier once; a load that failed is tried again. */
export function load(bytes) {
  if (bytes !== undefined) return Verifier.of(bytes);
  loaded ??= moduleBytes()
    .then((found) => Verifier.of(found))
    .catch((error) => {
      loaded = undefined;
      throw error;
    });
  return loaded;
}

/** Checks `proof` against `key` and what is expected of it. */
export async function verify(key, expected, proof) {
  if (proof === undefined) throw new UsageError("verify(key, expected, proof): a proof is missing");
  return (await load()).verify(key, proof, expected ?? {});
}
