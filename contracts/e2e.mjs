// Deploys the verifier on anvil, registers keys, verifies proofs and lies about them; prints the gas
// of each. CALLS are outputs of the example `contract_call`, one file a key.
//
//     npm install --no-save solc@0.8.37 && node e2e.mjs ANVIL CALLS…
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [anvil, ...files] = process.argv.slice(2);
const port = 18545;
const node = spawn(anvil, ["--port", String(port), "--silent", "--hardfork", "osaka"]);
process.on("exit", () => node.kill());

async function rpc(method, ...params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}`, { method: "POST", headers, body });
  const { result, error } = await response.json();
  if (error) throw new Error(`${method}: ${error.message} ${error.data ?? ""}`);
  return result;
}

async function ready() {
  for (let tries = 0; tries < 300; tries += 1) {
    try {
      return await rpc("eth_accounts");
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("anvil does not answer");
}

async function send(from, to, data) {
  const gas = "0xf42400";
  const hash = await rpc("eth_sendTransaction", { from, to, data: `0x${data}`, gas });
  let receipt = null;
  while (receipt === null) {
    receipt = await rpc("eth_getTransactionReceipt", hash);
  }
  if (receipt.status !== "0x1") {
    const why = await rpc("eth_call", { from, to, data: `0x${data}`, gas }).catch((error) => error.message);
    throw new Error(`reverted after ${Number(receipt.gasUsed)} gas: ${why}`);
  }
  return receipt;
}

const { abi } = JSON.parse(readFileSync(new URL("artifacts/ZkinferVerifier.json", import.meta.url)));
const { keccak256 } = createRequire(
  join(process.env.SOLC_FOLDER ?? new URL(".", import.meta.url).pathname, "package.json"),
)("js-sha3");
const named = abi.filter((entry) => entry.type === "error").map(({ name, inputs }) => {
  const types = inputs.map((input) => input.type).join(",");
  return { name, selector: `0x${keccak256(`${name}(${types})`).slice(0, 8)}` };
});

/// What becomes of the call when the lowest bit of each word of its calldata is flipped. Bits
/// behind the end of a byte string are not read; lengths and offsets beyond the calldata have no name.
async function tamper(file, data) {
  const found = {};
  for (let word = 4; word + 32 <= data.length / 2; word += 32) {
    const at = 2 * word + 63;
    const flipped = data.slice(0, at) + (parseInt(data[at], 16) ^ 1).toString(16) + data.slice(at + 1);
    const reason = await rpc("eth_call", { to: contract, data: `0x${flipped}`, gas: "0xf42400" }).then(
      () => "accepted",
      ({ message }) => named.find(({ selector }) => message.includes(selector))?.name ?? "unnamed",
    );
    found[reason] = (found[reason] ?? 0) + 1;
  }
  console.log(`${file} one bit of each word: ${JSON.stringify(found)}`);
}

const [account] = await ready();
let contract;
for (const file of files) {
  const lines = readFileSync(file, "utf8").trim().split("\n").map((line) => line.split(" "));
  for (const [kind, data] of lines) {
    try {
      if (kind === "deploy" && contract === undefined) {
        const receipt = await send(account, undefined, data);
        contract = receipt.contractAddress;
        console.log(`deploy ${Number(receipt.gasUsed)}`);
      } else if (kind === "register" || kind === "verify" || kind === "batch") {
        const receipt = await send(account, contract, data);
        console.log(`${file} ${kind} ${Number(receipt.gasUsed)} gas, ${data.length / 2} bytes`);
        if (kind === "verify") await tamper(file, data);
      }
    } catch (error) {
      console.log(`${file} ${kind}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
node.kill();
