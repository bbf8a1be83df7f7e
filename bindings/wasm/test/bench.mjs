// How long a proof takes in Chromium, beside the same proof checked by the command, in turns:
// `PACKAGE=folder node test/bench.mjs path/of/zkinfer`. And how long it takes from opening the page
// from the disk to a verdict.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const { chromium } = await import("playwright-core");
const { PACKAGE: folder, CHROMIUM: executablePath = "/usr/bin/chromium" } = process.env;
const [command] = process.argv.slice(2);
if (folder === undefined || command === undefined) {
  console.error("usage: PACKAGE=folder node test/bench.mjs path/of/zkinfer");
  process.exit(2);
}
const ROUNDS = 5;
const EACH = 5;
const vector = (name) => fileURLToPath(new URL(`../../../verifier/vectors/${name}`, import.meta.url));
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
const shown = (times) => `${median(times).toFixed(1)} (${Math.min(...times).toFixed(1)} to ${Math.max(...times).toFixed(1)})`;

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** Milliseconds of the command for each of some checks in one process. */
function natively(key, proof) {
  const proofs = Array(EACH).fill(proof);
  const args = ["verify", ...proofs, "--key", key, "--allow-insecure-srs", "--json"];
  return JSON.parse(execFileSync(command, args)).map((report) => 1000 * report.verify_seconds);
}

/** Milliseconds from opening the page to its verdict, and those of some further checks in it. */
async function inThePage(key, proof) {
  const context = await browser.newContext({ offline: true });
  const page = await context.newPage();
  const start = performance.now();
  await page.goto(pathToFileURL(join(folder, "auditor.html")).href);
  await page.setInputFiles("#key", key);
  await page.setInputFiles("#proof", proof);
  await page.locator("#result .verdict h2").waitFor();
  const opened = performance.now() - start;
  await page.locator("#expectations summary").click();
  await page.check("#allowInsecureSrs");
  const times = [];
  for (let i = 0; i < EACH; i++) {
    await page.click("#check");
    await page.locator("#result .verdict h2").filter({ hasText: "Accepted" }).waitFor();
    times.push(Number(/Checked in ([\d.]+) ms/.exec(await page.locator("#result").innerText())[1]));
  }
  await context.close();
  return { opened, times };
}

console.log("milliseconds, median (shortest to longest)\nproof            command                 Chromium                opened and checked");
for (const model of ["cancer_mlp", "digits_mlp", "digits_cnn", "mnist_lenet"]) {
  const [key, proof] = [vector(`${model}.zkvk`), vector(`${model}-1.zkproof`)];
  const [native, web, opened] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    native.push(...natively(key, proof));
    const seen = await inThePage(key, proof);
    web.push(...seen.times);
    opened.push(seen.opened);
  }
  console.log(`${model.padEnd(16)} ${shown(native).padEnd(23)} ${shown(web).padEnd(23)} ${shown(opened)}`);
}
await browser.close();
