// Compiles the contracts with the pinned solc and writes, or with `--check` compares, the artifacts.
//
//     npm install --no-save solc@0.8.37 && node build.mjs [--check]
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(process.env.SOLC_FOLDER ?? here, "package.json"));
const solc = require("solc");
const expected = "0.8.37+";
if (!solc.version().startsWith(expected)) {
  throw new Error(`solc ${solc.version()} instead of ${expected}`);
}

const folder = join(here, "solidity");
const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".sol")).sort();
const sources = Object.fromEntries(
  names.map((name) => [name, { content: readFileSync(join(folder, name), "utf8") }]),
);
const settings = {
  // With fewer runs solc loads the field's modulus from code at every use.
  optimizer: { enabled: true, runs: 10000 },
  viaIR: true,
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none", appendCBOR: false },
  // Calldata that is no ABI encoding is told what is wrong with it.
  debug: { revertStrings: "debug" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};
const input = { language: "Solidity", sources, settings };
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const errors = output.errors ?? [];
errors.forEach((error) => console.error(error.formattedMessage));
if (errors.length > 0) {
  throw new Error("the contracts must compile without a warning");
}

let stale = false;
for (const [source, file] of Object.entries(output.contracts)) {
  for (const [name, contract] of Object.entries(file)) {
    if (source !== `${name}.sol` && source !== `test/${name}.sol`) continue;
    const { bytecode, deployedBytecode } = contract.evm;
    if (bytecode.object === "" && !name.startsWith("I")) continue;
    const artifact = { abi: contract.abi, bytecode: bytecode.object };
    const text = JSON.stringify(artifact, null, 1) + "\n";
    const path = join(here, "artifacts", source.replace(".sol", ".json"));
    console.log(`${name}: ${deployedBytecode.object.length / 2} bytes of code`);
    if (!process.argv.includes("--check")) {
      writeFileSync(path, text);
    } else if (readFileSync(path, "utf8") !== text) {
      console.error(`${path} is stale`);
      stale = true;
    }
  }
}
process.exitCode = stale ? 1 : 0;
