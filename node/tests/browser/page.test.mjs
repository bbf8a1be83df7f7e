// The page of a coordinator in Chromium: with a job that is answered, proven and paid. `MARKET` is
// the built `zkinfer-market`, `ZKINFER` the built `zkinfer`; `CHROMIUM` the browser, by default the
// one on the path; `PICTURES` a folder for screenshots.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const { chromium } = await import("playwright-core");
const { MARKET, ZKINFER, PICTURES } = process.env;
assert.ok(MARKET && ZKINFER, "set MARKET and ZKINFER to the built commands");
const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"]).toString().trim();
const zoo = process.env.ZOO ?? fileURLToPath(new URL("../../../models/zoo", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "page-"));
const running = [];
let browser, url;

/** Starts a command of the market and gives its first line. */
function start(...words) {
  const child = spawn(MARKET, words, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  return new Promise((resolve, reject) => {
    child.stdout.once("data", (line) => resolve(String(line)));
    child.once("exit", (code) => reject(new Error(`${words[0]} has ended with ${code}`)));
  });
}

function submit(...more) {
  const words = ["job", "submit", "--market", url, "--key", "model.zkvk", "--input", "input.json"];
  return JSON.parse(execFileSync(MARKET, [...words, ...more], { cwd: folder }));
}

before(async () => {
  for (const name of ["model.onnx", "input.json", "samples.npz"]) {
    copyFileSync(join(zoo, "digits_mlp", name), join(folder, name));
  }
  execFileSync(ZKINFER, ["setup", "model.onnx", "--calibrate", "samples.npz"], { cwd: folder });
  const split = ["split", "model.onnx", "--parts", "2", "--calibrate", "samples.npz", "-o", "parts"];
  execFileSync(ZKINFER, split, { cwd: folder });
  const serve = ["serve", "--listen", "127.0.0.1:0", "--key", "model.zkvk", "--allow-insecure-srs"];
  const more = ["--manifest", "parts/model.zkparts", "--play-money", "1000000"];
  const line = await start(...serve, ...more);
  url = /http:\/\/\S+/.exec(line)[0];
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});
after(async () => {
  await browser?.close();
  running.forEach((child) => child.kill());
});

/** The page, of which any fault, and any request to elsewhere, is told. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) page.faults.push(`asks ${request.url()}`);
  });
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
  await page.goto(url);
  await page.locator("#state").filter({ hasText: "As of" }).waitFor();
  return page;
}

async function close(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

async function picture(page, name) {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, name), fullPage: true });
}

const figure = (page, name) => page.locator("#figures div", { hasText: name }).locator("dd");

test("an empty market says so", async () => {
  const page = await open();
  const text = await page.locator("main").innerText();
  assert.match(text, /No such jobs/);
  assert.match(text, /No node has come yet/);
  assert.match(text, /Nobody was paid yet/);
  await close(page);
});

test("a job is seen from its order to its payment", async () => {
  const page = await open();
  await start("node", "--market", url, "--model", "model.onnx");
  const jobs = [submit(), submit()];
  await figure(page, "Proven and paid").filter({ hasText: "2" }).waitFor();
  const row = page.locator("#job-table tbody tr").first();
  assert.match(await row.innerText(), new RegExp(jobs[1].job.slice(0, 8)));
  assert.match(await row.innerText(), /proven and paid/);
  assert.match(await row.innerText(), /\d ms/);
  assert.equal(await figure(page, "Paid in all").innerText(), "20");
  assert.match(await page.locator("#node-table tbody").innerText(), /cpu/);
  assert.match(await page.locator("#payment-table tbody").innerText(), /20/);
  const chart = page.locator("#answers svg");
  assert.match(await chart.getAttribute("aria-label"), /p50 last \d+ ms, highest \d+ ms/);
  await picture(page, "market.png");
  await page.selectOption("#filter", "slashed");
  assert.match(await page.locator("#job-table tbody").innerText(), /No such jobs/);
  await close(page);
});

test("it is used by the keyboard alone", async () => {
  const page = await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  const button = page.locator("#job-table button").first();
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press("Tab");
    if (await button.evaluate((element) => element === document.activeElement)) break;
  }
  assert.ok(await button.evaluate((element) => element === document.activeElement));
  // The figures are asked for again and again, and the focus stays where it is.
  const before = await page.locator("#state").innerText();
  await page.waitForFunction((text) => document.getElementById("state").innerText !== text, before);
  assert.ok(await button.evaluate((element) => element === document.activeElement));
  await page.keyboard.press("Enter");
  const dialog = page.locator("#details");
  assert.ok(await dialog.isVisible());
  assert.match(await dialog.innerText(), /Order to answer\s+\d+ ms/);
  await page.keyboard.press("Escape");
  assert.ok(!(await dialog.isVisible()));
  await close(page);
});

test("it fits a phone, in the dark too", async () => {
  const page = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark", isMobile: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, `the page is ${wide} wide`);
  for (const place of ["#pause", "#filter", "#job-table button"]) {
    const box = await page.locator(place).first().boundingBox();
    assert.ok(box.height >= 30 && box.x >= 0 && box.x + box.width <= 360, place);
  }
  await picture(page, "phone.png");
  await close(page);
});

test("parts, sealed inputs and rising prices are told apart", async () => {
  const page = await open();
  const parts = ["--parts", "parts/model.zkparts", "model.onnx", "--identity", "parts.key"];
  await start("node", "--market", url, ...parts);
  const order = ["job", "submit", "--market", url, "--input", "input.json"];
  const whole = JSON.parse(execFileSync(MARKET,
    [...order, "--manifest", "parts/model.zkparts"], { cwd: folder }));
  assert.equal(whole.output[0][1].length, 10);
  const line = await start("node", "--market", url, "--model", "model.onnx", "--identity", "own.key");
  const key = /key ([0-9a-f]{64})/.exec(line)[1];
  const sealed = submit("--seal-to", key);
  assert.equal(sealed.node, sealed.answer === null ? null : /node (\w{40})/.exec(line)[1]);
  submit("--price", "5..50", "--ramp", "600");
  await figure(page, "Proven and paid").filter({ hasText: "6" }).waitFor();
  const rows = page.locator("#job-table tbody tr");
  assert.match(await rows.nth(0).innerText(), /rising from 5/);
  assert.match(await rows.nth(1).innerText(), /sealed/);
  for (const row of [2, 3]) {
    assert.match(await rows.nth(row).innerText(), new RegExp(`part of ${whole.job.slice(0, 8)}`));
  }
  await picture(page, "kinds.png");
  await close(page);
});

test("what a node writes is text, and a coordinator that is gone is told", async () => {
  const page = await open();
  await page.route("**/v1/nodes", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    for (const node of body.nodes) node.capabilities.device = "<img src=x onerror=alert(1)>";
    await route.fulfill({ response, json: body });
  });
  await page.locator("#node-table").filter({ hasText: "<img src=x" }).waitFor();
  assert.equal(await page.locator("#node-table img").count(), 0);
  await page.route("**/v1/overview", (route) => route.abort());
  await page.locator("#state.lost").filter({ hasText: "does not answer" }).waitFor();
  page.faults = page.faults.filter((fault) => !fault.includes("ERR_FAILED"));
  await close(page);
});
