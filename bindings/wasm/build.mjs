// Makes the package from the compiled module: `node build.mjs MODULE.wasm FOLDER`. The page is one
// file; its policy names the digests of its own style and script, and nothing else runs.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const [module, folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node build.mjs MODULE.wasm FOLDER");
  process.exit(2);
}
const here = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const digest = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const wasm = readFileSync(module);
const packed = gzipSync(wasm, { level: 9 });
const style = here("page/auditor.css");
const script = here("core.js").replaceAll(/^export /gm, "") + here("page/auditor.js");
if (/<\/script/i.test(script) || /<\/style/i.test(style)) throw new Error("a part would end early");
const policy = [
  "default-src 'none'",
  `script-src ${digest(script)} 'wasm-unsafe-eval'`,
  `style-src ${digest(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
const parts = { policy, style, script, module: packed.toString("base64") };
const page = here("page/auditor.html").replaceAll(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);

mkdirSync(folder, { recursive: true });
for (const name of ["package.json", "README.md", "core.js", "index.js", "index.d.ts"]) {
  copyFileSync(new URL(name, import.meta.url), join(folder, name));
}
copyFileSync(module, join(folder, "zkinfer_wasm.wasm"));
writeFileSync(join(folder, "auditor.html"), page);
console.log(`module ${wasm.length} bytes, ${packed.length} packed; page ${page.length} bytes`);
