// One job of each kind on anvil, with real proofs: paid, refunded, answered and challenged, slashed.
//
//     npm install --no-save solc@0.8.37 @foundry-rs/anvil-linux-amd64@1.7.1
//     node e2e.mjs ANVIL ZKINFER CONTRACT_CALL MODEL
//
// ZKINFER is the command, CONTRACT_CALL the example of that name, MODEL a folder of the zoo.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [anvil, zkinfer, contractCall, model] = process.argv.slice(2);
const here = fileURLToPath(new URL(".", import.meta.url));
const { keccak256 } = createRequire(join(process.env.SOLC_FOLDER ?? here, "package.json"))("js-sha3");
const port = 20000 + (process.pid % 20000);
const node = spawn(anvil, ["--port", String(port), "--silent", "--hardfork", "osaka"]);
const folder = mkdtempSync(join(tmpdir(), "zkinfer-e2e-"));
process.on("exit", () => {
  node.kill();
  rmSync(folder, { recursive: true, force: true });
});

async function rpc(method, ...params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}`, { method: "POST", headers, body });
  const { result, error } = await response.json();
  if (error) throw new Error(`${method}: ${error.message} ${error.data ?? ""}`);
  return result;
}

async function ready() {
  for (let tries = 0; tries < 600; tries += 1) {
    try {
      return await rpc("eth_accounts");
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("anvil does not answer");
}

const artifact = (name) => JSON.parse(readFileSync(join(here, "artifacts", `${name}.json`)));
const digest = (hex) => keccak256(Buffer.from(hex, "hex"));
const selector = (signature) => keccak256(signature).slice(0, 8);
const word = (value) => BigInt(value).toString(16).padStart(64, "0");
const types = (inputs) =>
  inputs.map(({ type, components }) => type.replace("tuple", components ? `(${types(components)})` : "")).join(",");
const { abi } = artifact("ZkinferEscrow");
const errors = [...abi, ...artifact("ZkinferVerifier").abi]
  .filter(({ type }) => type === "error")
  .map(({ name, inputs }) => ({ name, selector: selector(`${name}(${types(inputs)})`) }));
/// A call of the escrow: words first, byte strings behind them.
function call(name, words, strings = []) {
  const { inputs } = abi.find((entry) => entry.type === "function" && entry.name === name);
  let offset = 32 * (words.length + strings.length);
  let heads = words.join("");
  let tails = "";
  for (const bytes of strings) {
    heads += word(offset + tails.length / 2);
    tails += word(bytes.length / 2) + bytes.padEnd(64 * Math.ceil(bytes.length / 64), "0");
  }
  return `0x${selector(`${name}(${types(inputs)})`)}${heads}${tails}`;
}

async function send(from, to, data, value = 0n) {
  const request = { from, to, data, value: `0x${value.toString(16)}`, gas: "0xf42400" };
  const hash = await rpc("eth_sendTransaction", request);
  let receipt = null;
  while (receipt === null) receipt = await rpc("eth_getTransactionReceipt", hash);
  if (receipt.status === "0x1") return receipt;
  const why = await rpc("eth_call", request, "latest").catch(({ message }) => message);
  throw new Error(errors.find((error) => why.includes(`0x${error.selector}`))?.name ?? why);
}

async function refused(expected, action) {
  const got = await action().then(() => "nothing", ({ message }) => message);
  if (got !== expected) throw new Error(`refused with ${got} instead of ${expected}`);
}

function equal(got, expected, what) {
  if (got !== expected) throw new Error(`${what}: ${got} instead of ${expected}`);
}

const [buyer, prover, challenger, stranger] = await ready();
const chain = Number(await rpc("eth_chainId"));
/// A proof of the model's input, bound to a job; input, output and proof as the contract takes them.
function prove(job, payee, hidden = []) {
  const key = join(folder, `model${hidden.join("")}.zkvk`);
  const proof = join(folder, `${job}.zkproof`);
  const binding = ["--job", job, "--payee", payee.slice(2), "--chain", String(chain), "--nonce", "7"];
  execFileSync(zkinfer, ["prove", join(model, "model.onnx"), "--input", join(model, "input.json"),
    "--calibrate", join(model, "samples.npz"), "--optimize", "gas", "--key", key, "-o", proof, ...hidden, ...binding],
    { stdio: ["ignore", "ignore", "inherit"] });
  const lines = execFileSync(contractCall, [key, proof]).toString().trim().split("\n");
  const { deploy, opening, register, key: id, verify } = Object.fromEntries(lines.map((line) => line.split(" ")));
  const tuple = verify.slice(8 + 64);
  const bytes = (index) => {
    const at = 2 * parseInt(tuple.slice(64 * index, 64 * index + 64), 16);
    const length = parseInt(tuple.slice(at, at + 64), 16);
    return tuple.slice(at + 64, at + 64 + 2 * length);
  };
  const opened = () =>
    execFileSync(zkinfer, ["contract", "opening", proof.replace(/zkproof$/, "zkopening"), "--key", key])
      .toString().trim().slice(2);
  return { deploy, opening, register, id, opened, claim: [bytes(2), bytes(3), bytes(4)] };
}

/// One proof of the model's input for each job.
function proveJointly(jobs) {
  const at = (name) => join(folder, name);
  const { input_data } = JSON.parse(readFileSync(join(model, "input.json")));
  writeFileSync(at("inputs.json"), JSON.stringify({ input_data: jobs.map(() => input_data[0]) }));
  writeFileSync(at("jobs.json"), JSON.stringify(jobs));
  const key = at("joint.zkvk");
  execFileSync(zkinfer, ["prove", join(model, "model.onnx"), "--inputs", at("inputs.json"), "--jobs", at("jobs.json"),
    "--joint", String(jobs.length), "--calibrate", join(model, "samples.npz"), "--optimize", "gas", "--key", key,
    "-o", at("joint")], { stdio: ["ignore", "ignore", "inherit"] });
  const files = readdirSync(at("joint")).filter((name) => name.endsWith(".zkproof")).sort().map((name) => at(`joint/${name}`));
  const json = (...words) => JSON.parse(execFileSync(zkinfer, ["contract", ...words, "--key", key, "--json"]));
  const claims = files.map((proof) => {
    const told = json("call", proof);
    const { opening } = json("opening", proof.replace(/zkproof$/, "zkopening"));
    return { ...told, opening: opening.slice(2), input: told.input.slice(2), path: told.path.slice(2) };
  });
  const { contract_key } = json("export", "-o", at("out"));
  return { register: readFileSync(at("out/register.hex"), "utf8").slice(2), id: contract_key, claims };
}

const first = prove("11".repeat(32), prover);
const verifier = (await send(buyer, undefined, `0x${first.deploy}`)).contractAddress;
await send(stranger, verifier, `0x${first.register}`);
const opening = (await send(buyer, undefined, `0x${first.opening}`)).contractAddress;
const escrowCode = `0x${artifact("ZkinferEscrow").bytecode}${word(verifier)}${word(opening)}`;
const { contractAddress: escrow, gasUsed } = await send(buyer, undefined, escrowCode);
console.log(`escrow deployed: ${Number(gasUsed)} gas`);

const now = async () => Number((await rpc("eth_getBlockByNumber", "latest", false)).timestamp);
async function pass(seconds) {
  await rpc("evm_increaseTime", seconds);
  await rpc("evm_mine");
}
const credit = async (account) =>
  BigInt(await rpc("eth_call", { to: escrow, data: call("balanceOf", [word(0), word(account)]) }, "latest"));
const jobId = (salt) => digest(word(chain) + word(escrow) + word(buyer) + word(salt));
const PRICE = 10n ** 18n;
const terms = (salt, deadline, rest = {}) => {
  const { stake = 0n, window = 0, proofTime = 0, bond = 0n, id = first.id, input = digest(first.claim[0]) } = rest;
  return [word(buyer), word(salt), word(0), id, input, word(7), word(0), word(PRICE),
    word(stake), word(deadline), word(window), word(proofTime), word(bond)];
};
const progress = (staked = 0, output = 0, time = 0, challenged = 0) =>
  [word(staked), output === 0 ? word(0) : output, word(time), word(challenged)];
const bound = (job, payee) => [word(chain), job, word(payee), word(0), word(7)];
const open = (asked) => send(buyer, escrow, call("open", asked), PRICE);

// 1. A bounty: whoever brings the proof, the payee in it is paid, once.
{
  const [job, asked] = [jobId(1), terms(1, (await now()) + 1000)];
  await open(asked);
  const { claim } = prove(job, prover);
  const submit = call("submit", [...asked, ...progress(), ...bound(job, prover)], claim);
  const stolen = call("submit", [...asked, ...progress(), ...bound(job, stranger)], claim);
  await refused("Pairing", () => send(stranger, escrow, stolen));
  const receipt = await send(stranger, escrow, submit);
  console.log(`paid for a proof: ${Number(receipt.gasUsed)} gas`);
  equal(await credit(prover), PRICE, "the prover's credit");
  await refused("AlreadySettled", () => send(stranger, escrow, submit));
  const before = BigInt(await rpc("eth_getBalance", stranger, "latest"));
  await send(prover, escrow, call("withdraw", [word(0), word(stranger), word(PRICE)]));
  equal(BigInt(await rpc("eth_getBalance", stranger, "latest")) - before, PRICE, "what came out");
}
// 2. Nobody does it: the buyer gets the price back, not before the deadline is over.
{
  const asked = terms(2, (await now()) + 100);
  await open(asked);
  const refund = call("refund", [...asked, ...progress()]);
  await refused("DeadlineAhead", () => send(stranger, escrow, refund));
  await pass(101);
  await send(stranger, escrow, refund);
  equal(await credit(buyer), PRICE, "the buyer's credit");
  await refused("AlreadyRefunded", () => send(stranger, escrow, refund));
}
const optimistic = { stake: 5n, window: 60, proofTime: 60, bond: 3n };
/// An optimistic job that is answered with `output`, signed by the prover and sent by the buyer.
async function answered(salt, output) {
  const [job, asked] = [jobId(salt), terms(salt, (await now()) + 1000, optimistic)];
  await open(asked);
  await send(prover, escrow, call("stake", [...asked, ...progress()]), 5n);
  const domain = { name: "zkinfer escrow", version: "1", chainId: chain, verifyingContract: escrow };
  const fields = ["name:string", "version:string", "chainId:uint256", "verifyingContract:address"];
  const field = (text) => ({ name: text.split(":")[0], type: text.split(":")[1] });
  const typed = {
    types: { EIP712Domain: fields.map(field), Answer: ["job:bytes32", "output:bytes32"].map(field) },
    primaryType: "Answer",
    domain,
    message: { job: `0x${job}`, output: `0x${digest(output)}` },
  };
  const signature = (await rpc("eth_signTypedData_v4", prover, typed)).slice(2);
  const send_answer = (by) =>
    send(buyer, escrow, call("answer", [...asked, ...progress(prover)], [output, by]));
  await refused("BadSignature", () => send_answer(`${signature.slice(0, 128)}1d`));
  const { blockNumber } = await send_answer(signature);
  const { timestamp } = await rpc("eth_getBlockByNumber", blockNumber, false);
  return { job, asked, until: Number(timestamp) + 60 };
}
async function challenged({ asked, until }, output) {
  const data = call("challenge", [...asked, ...progress(prover, digest(output), until)]);
  const { blockNumber } = await send(challenger, escrow, data, 3n);
  const { timestamp } = await rpc("eth_getBlockByNumber", blockNumber, false);
  return progress(prover, digest(output), Number(timestamp) + 60, challenger);
}
// 3. A true answer that is challenged: the proof brings price, stake and the challenger's bond.
{
  const output = first.claim[1];
  const answer = await answered(3, output);
  const state = await challenged(answer, output);
  const { claim } = prove(answer.job, prover);
  await send(stranger, escrow, call("submit", [...answer.asked, ...state, ...bound(answer.job, prover)], claim));
  equal(await credit(prover), PRICE + 8n, "the prover's credit");
}
// 4. A true answer that nobody challenges is paid without a proof when the window is over.
{
  const output = first.claim[1];
  const { asked, until } = await answered(4, output);
  const finalize = call("finalize", [...asked, ...progress(prover, digest(output), until)]);
  await refused("DeadlineAhead", () => send(stranger, escrow, finalize));
  await pass(61);
  await send(stranger, escrow, finalize);
  equal(await credit(prover), 2n * PRICE + 13n, "the prover's credit");
}
// 5. A false answer that is challenged: no proof can come, so the buyer gets price and stake.
const before = await credit(buyer);
const lie = first.claim[1].replace(/^../, first.claim[1].startsWith("00") ? "01" : "00");
{
  const answer = await answered(5, lie);
  const state = await challenged(answer, lie);
  const { claim } = prove(answer.job, prover);
  const submit = call("submit", [...answer.asked, ...state, ...bound(answer.job, prover)], claim);
  await refused("OtherOutput", () => send(prover, escrow, submit));
  const slash = call("slash", [...answer.asked, ...state]);
  await refused("DeadlineAhead", () => send(stranger, escrow, slash));
  await pass(61);
  await send(stranger, escrow, slash);
  equal(await credit(buyer), before + PRICE + 5n, "the buyer's credit");
  equal(await credit(challenger), 3n, "the challenger's credit");
}
// 6. A false answer that a proof contradicts, bound to whatever.
{
  const { asked, until } = await answered(6, lie);
  const binding = digest(
    Buffer.from("zkinfer.job.v1\0\0").toString("hex") + word(chain).slice(48) + "11".repeat(32) +
      prover.slice(2) + word(0).slice(48) + word(7).slice(48),
  );
  const words = [...asked, ...progress(prover, digest(lie), until), binding];
  const receipt = await send(stranger, escrow, call("contradict", words, first.claim));
  console.log(`slashed for a contradiction: ${Number(receipt.gasUsed)} gas`);
  equal(await credit(buyer), before + 2n * PRICE + 10n, "the buyer's credit");
}
// 7. A prover who is late with everything.
{
  const asked = terms(7, (await now()) + 100, { stake: 5n });
  await open(asked);
  await send(prover, escrow, call("stake", [...asked, ...progress()]), 5n);
  const slash = call("slash", [...asked, ...progress(prover)]);
  await refused("DeadlineAhead", () => send(stranger, escrow, slash));
  await pass(101);
  await send(stranger, escrow, slash);
  equal(await credit(buyer), before + 3n * PRICE + 15n, "the buyer's credit");
}
// 8. A hidden output: a proof alone is not paid, with the opening of its output it is.
{
  const job = jobId(8);
  const { register, id, opened, claim: [input, output, proof] } = prove(job, prover, ["--commit", "output"]);
  await send(stranger, verifier, `0x${register}`);
  const asked = terms(8, (await now()) + 1000, { id });
  await open(asked);
  const words = [...asked, ...progress(), ...bound(job, prover)];
  await refused("HiddenOutput", () => send(prover, escrow, call("submit", words, [input, output, proof])));
  const other = opened().replace(/..$/, (last) => (last === "00" ? "01" : "00"));
  await refused("Pairing", () => send(prover, escrow, call("submitOpened", words, [input, other, proof])));
  const receipt = await send(stranger, escrow, call("submitOpened", words, [input, opened(), proof]));
  console.log(`paid for a proof whose output is opened: ${Number(receipt.gasUsed)} gas`);
  equal(await credit(prover), 3n * PRICE + 13n, "the prover's credit");
}
// 9. A proof of several claims: it is brought once, and each claim pays its own payee for its own job.
{
  const payees = [prover, challenger];
  const jobs = payees.map((payee, i) => ({ job: jobId(90 + i), payee: payee.slice(2), chain, expiry: 0, nonce: 7 }));
  const { register, id, claims } = proveJointly(jobs);
  await send(stranger, verifier, `0x${register}`);
  const leaves = [];
  for (const [i, { job, payee }] of jobs.entries()) {
    const asked = terms(90 + i, (await now()) + 1000, { id, input: digest(claims[i].input) });
    await open(asked);
    const submit = (bound_to, { index, input, opening, path } = claims[i]) =>
      call("submitLeaf", [...asked, ...progress(), ...bound(job, bound_to), word(index)], [input, opening, path]);
    leaves.push({ payee: `0x${payee}`, submit });
  }
  const [first, second] = leaves;
  await refused("NotProven", () => send(stranger, escrow, first.submit(first.payee)));
  const { gasUsed } = await send(stranger, escrow, claims[0].prove_calldata);
  console.log(`a proof of two claims taken: ${Number(gasUsed)} gas`);
  await refused("NotProven", () => send(stranger, escrow, first.submit(stranger)));
  await refused("OtherInput", () => send(stranger, escrow, second.submit(second.payee, claims[0])));
  for (const { payee, submit } of leaves) {
    const had = await credit(payee);
    const receipt = await send(stranger, escrow, submit(payee));
    console.log(`paid for a claim of it: ${Number(receipt.gasUsed)} gas`);
    equal((await credit(payee)) - had, PRICE, "the credit of a payee");
    await refused("AlreadySettled", () => send(stranger, escrow, submit(payee)));
  }
}
const held = BigInt(await rpc("eth_getBalance", escrow, "latest"));
const owed = (await credit(buyer)) + (await credit(prover)) + (await credit(challenger));
equal(held, owed, "what the escrow holds");
console.log("paid, refunded, answered, challenged, contradicted, slashed, opened, joined: every wei accounted for");
process.exit(0);
