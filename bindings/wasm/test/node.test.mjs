// The package in Node, on proofs that the repository keeps. `PACKAGE` is the built folder.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const folder = process.env.PACKAGE;
assert.ok(folder, "set PACKAGE to the folder that build.sh made");
const { verify, load, Verifier, UsageError } = await import(pathToFileURL(join(folder, "index.js")));
const vector = (name) => readFileSync(new URL(`../../../verifier/vectors/${name}`, import.meta.url));
const DEV = { allowInsecureSrs: true };
const MODELS = ["cancer_mlp", "digits_cnn", "digits_mlp", "mnist_lenet", "digits_mlp_hidden"];

test("proofs of every model are accepted, and show what they show", async () => {
  for (const model of MODELS) {
    for (const number of [1, 2]) {
      const report = await verify(vector(`${model}.zkvk`), DEV, vector(`${model}-${number}.zkproof`));
      assert.equal(report.verdict, "accepted", `${model}: ${report.reason}`);
      const hidden = model.endsWith("hidden");
      assert.equal(report.input.tensors === null, hidden, model);
      assert.equal(report.setup.kind, "insecureDevelopment");
      assert.equal(report.strength.bits, 0);
    }
  }
});

test("a refused proof names the checks", async () => {
  const [key, proof] = [vector("digits_mlp.zkvk"), vector("digits_mlp-1.zkproof")];
  const codes = async (expected, file = proof) => (await verify(key, expected, file)).codes;
  assert.deepEqual(await codes({}), ["insecure-srs"]);
  assert.deepEqual(await codes({ ...DEV, payee: "66".repeat(20), nonce: 2n ** 63n }), ["payee", "nonce"]);
  assert.deepEqual(await codes({ ...DEV, keyDigest: "0x" + "11".repeat(32) }), ["expected-key"]);
  assert.deepEqual(await codes(DEV, vector("cancer_mlp-1.zkproof")), ["key"].concat(
    (await codes(DEV, vector("cancer_mlp-1.zkproof"))).slice(1)));
  const shown = await verify(key, DEV, proof);
  const input = shown.input.tensors[0].values;
  assert.deepEqual(await codes({ ...DEV, input }), []);
  assert.deepEqual(await codes({ ...DEV, input: { input_data: [input] } }), []);
  assert.deepEqual(await codes({ ...DEV, input: { [shown.input.tensors[0].name]: [input] } }), []);
  assert.deepEqual(await codes({ ...DEV, input: Float64Array.from(input) }), []);
  input[5] = input[5] > 0.5 ? 0 : 1;
  assert.deepEqual(await codes({ ...DEV, input }), ["input"]);
});

test("no byte of a proof can be changed", async () => {
  const verifier = await load();
  const [key, text] = [vector("digits_mlp.zkvk"), vector("digits_mlp-1.zkproof").toString()];
  const at = text.indexOf('"proof":"') + 9;
  const count = text.indexOf('"', at) - at;
  for (let part = 0; part < 16; part++) {
    const place = at + Math.floor((part * count) / 16);
    const digit = text[place] === "0" ? "1" : "0";
    const report = verifier.verify(key, text.slice(0, place) + digit + text.slice(place + 1), DEV);
    assert.equal(report.verdict, "rejected", `digit ${place}`);
  }
});

test("what a proof hides is shown by its opening, and only by that", async () => {
  const key = vector("digits_mlp_hidden.zkvk");
  const proof = vector("digits_mlp_hidden-1.zkproof");
  const opening = vector("digits_mlp_hidden-1.zkopening");
  const report = await verify(key, { ...DEV, opening }, proof);
  assert.equal(report.verdict, "accepted", report.reason);
  assert.equal((report.input.tensors ?? report.output.tensors).length, 1);
  const other = vector("digits_mlp_hidden-2.zkopening");
  const refused = await verify(key, { ...DEV, opening: other }, proof);
  assert.equal(refused.verdict, "rejected");
  assert.deepEqual(refused.codes, ["opening"]);
  assert.equal(refused.input.tensors, null, "an opening that does not open shows nothing");
});

test("a claim of a proof of several is checked alone, at its place", async () => {
  const joint = (name) => readFileSync(new URL(`../../../settlement/tests/vectors/joint${name}`, import.meta.url));
  const key = joint(".zkvk");
  const roots = new Set();
  for (const index of [0, 1]) {
    const proof = joint(`-${index}.zkproof`).toString();
    const { verdict, leaf } = await verify(key, DEV, proof);
    assert.deepEqual([verdict, leaf.index, leaf.claims], ["accepted", index, 2]);
    roots.add(leaf.root);
    const moved = proof.replace(`"leaf":{"index":${index}`, `"leaf":{"index":${1 - index}`);
    assert.deepEqual((await verify(key, DEV, moved)).codes, ["pairing"]);
    const beyond = await verify(key, DEV, proof.replace(`"leaf":{"index":${index}`, '"leaf":{"index":2'));
    assert.deepEqual([beyond.codes, beyond.leaf], [["path"], { index: 2, claims: 2, root: null }]);
    const alone = proof.replace(/"leaf":\{[^}]*\},/, "").replace('"format":2', '"format":1');
    assert.deepEqual((await verify(key, DEV, alone)).codes, ["joint"]);
  }
  assert.equal(roots.size, 1);
  assert.equal((await verify(vector("digits_mlp.zkvk"), DEV, vector("digits_mlp-1.zkproof"))).leaf, null);
});

test("wrong files are told by name", async () => {
  const [key, proof] = [vector("digits_mlp.zkvk"), vector("digits_mlp-1.zkproof")];
  const file = async (...files) => {
    const report = await verify(...files);
    assert.equal(report.verdict, "unusable");
    assert.ok(report.reason.length > 5, report.reason);
    return report.file;
  };
  for (const junk of ["", "{}", "\0".repeat(100), "[".repeat(1e6), new Uint8Array(4096).fill(255)]) {
    assert.equal(await file(junk, DEV, proof), "key");
    assert.equal(await file(key, DEV, junk), "proof");
    if (junk !== "") assert.equal(await file(key, { ...DEV, opening: junk }, proof), "opening");
  }
  assert.equal(await file(proof, DEV, key), "key");
  assert.equal(await file(key, { payee: "66" }, proof), "expected");
  assert.equal(await file(key, { input: [1, 2] }, proof), "expected");
  assert.equal(await file(key, { unknown: 1 }, proof), "expected");
  assert.equal(await file(key, { allowSrs: "11".repeat(32), ...DEV }, proof), "expected");
  assert.equal(await file(key, { inputCommitment: "11".repeat(32) }, proof), "expected");
  for (let cut = 0; cut < key.length; cut += 397) {
    assert.equal(await file(key.subarray(0, cut), DEV, proof), "key");
  }
});

test("what makes no sense is refused before anything is checked", async () => {
  const [key, proof] = [vector("digits_mlp.zkvk"), vector("digits_mlp-1.zkproof")];
  await assert.rejects(verify(key, DEV), UsageError);
  await assert.rejects(verify(3, DEV, proof), UsageError);
  await assert.rejects(verify(key, { chain: -1 }, proof), UsageError);
  await assert.rejects(verify(key, { chain: 1.5 }, proof), UsageError);
  await assert.rejects(verify(key, { chain: 2 ** 60 }, proof), UsageError);
  await assert.rejects(verify(key, { input: ["1"] }, proof), UsageError);
  await assert.rejects(verify(key, { input: [NaN] }, proof), UsageError);
  await assert.rejects(verify(key, { input: [null] }, proof), UsageError);
  let deep = [];
  for (let i = 0; i < 100000; i++) deep = [deep];
  assert.equal((await verify(key, { input: deep }, proof)).file, "expected");
});

test("the module has no imports, and is small", async () => {
  const { gzipSync } = await import("node:zlib");
  const bytes = readFileSync(join(folder, "zkinfer_wasm.wasm"));
  assert.deepEqual(WebAssembly.Module.imports(await WebAssembly.compile(bytes)), []);
  assert.ok(gzipSync(bytes, { level: 9 }).length <= 250_000, "250 kB packed");
});

test("memory does not grow with the number of checks", async () => {
  const verifier = await Verifier.of(readFileSync(join(folder, "zkinfer_wasm.wasm")));
  const [key, proof] = [vector("digits_mlp.zkvk"), vector("digits_mlp-1.zkproof")];
  const times = [];
  for (let i = 0; i < 12; i++) {
    const start = performance.now();
    assert.equal(verifier.verify(key, proof, DEV).verdict, "accepted");
    times.push(performance.now() - start);
  }
  console.log(`a proof takes ${times.sort((a, b) => a - b)[6].toFixed(1)} ms in Node (median of 12)`);
});
