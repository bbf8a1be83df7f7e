// The page: files and expectations in, a report in plain words out. Text of files is only ever set
// as text.

const field = (id) => document.getElementById(id);
const KEY_MAGIC = "ZKINFVK\0";
const given = { key: null, proof: null, opening: null };
const SHOWN_ELEMENTS = 24;
const MOST_ELEMENTS = 4096;

/** An element with text or other elements in it. */
function element(name, attributes, ...content) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  for (const part of content) if (part !== null) made.append(typeof part === "string" ? shown(part) : part);
  return made;
}

/** Foreign text, with an escape in place of characters that hide or turn text. */
function shown(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

const code = (text) => element("code", {}, text);
const facts = (pairs) =>
  element("dl", {}, ...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));

async function moduleBytes() {
  const text = field("module").textContent.trim();
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

let verifier;
const ready = moduleBytes()
  .then((bytes) => Verifier.of(bytes))
  .then((made) => (verifier = made));
const broken = (error) => say(`The verifier does not start in this browser: ${error.message}`);
ready.catch(broken);

/** Takes a file as what its field says, or, where it was dropped, as what it holds. */
async function take(file, name) {
  if (file.size > LARGEST_FILE) {
    return say(`${file.name} has ${file.size} bytes; at most ${LARGEST_FILE} are read.`);
  }
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    return say(`${file.name} cannot be read: ${error.message}`);
  }
  const kind = name ?? kindOf(file.name, bytes);
  if (kind === null) {
    return say(`${file.name} is neither a key nor a proof nor an opening. Expected values go into their fields.`);
  }
  given[kind] = bytes;
  field(`${kind}-state`).textContent = shown(`${file.name}, ${bytes.length} bytes`);
}

function kindOf(name, bytes) {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, KEY_MAGIC.length));
  const ending = /\.(zkvk|zkproof|zkopening)$/i.exec(name)?.[1].toLowerCase();
  if (start === KEY_MAGIC || ending === "zkvk") return "key";
  return { zkproof: "proof", zkopening: "opening" }[ending] ?? null;
}

function expected() {
  const words = {};
  for (const id of ["keyDigest", "modelDigest", "inputCommitment", "outputCommitment", "job", "payee", "chain", "nonce", "allowSrs"]) {
    const value = field(id).value.trim();
    if (value !== "") words[id] = value;
  }
  for (const id of ["input", "output"]) {
    const value = field(id).value.trim();
    if (value === "") continue;
    try {
      words[id] = JSON.parse(value);
    } catch (error) {
      throw new UsageError(`the expected ${id} is not valid JSON: ${error.message}`);
    }
  }
  if (field("validNow").checked) words.validAt = Math.floor(Date.now() / 1000);
  if (field("allowInsecureSrs").checked) words.allowInsecureSrs = true;
  if (given.opening !== null) words.opening = given.opening;
  return words;
}

function say(text, heading = "Nothing was checked") {
  show(element("div", { class: "verdict unusable" }, element("h2", {}, heading), element("p", {}, text)));
}

function show(...content) {
  field("result").replaceChildren(...content.filter((part) => part !== null));
}

async function run() {
  if (given.key === null || given.proof === null) {
    return say(`Choose ${given.key === null ? "a key" : "a proof"} first.`);
  }
  try {
    await ready;
  } catch (error) {
    return broken(error);
  }
  const start = performance.now();
  let report;
  try {
    report = verifier.verify(given.key, given.proof, expected());
  } catch (error) {
    // A module that has failed once is not trusted to go on.
    if (!(error instanceof UsageError)) verifier = await Verifier.of(await moduleBytes());
    return say(error.message);
  }
  const milliseconds = performance.now() - start;
  if (report.verdict === "unusable") {
    const what = { key: "The file given as the key", proof: "The file given as the proof", opening: "The file given as the opening", expected: "What you expect" };
    return say(`${what[report.file]} cannot be used: ${report.reason}`);
  }
  show(...(report.verdict === "accepted" ? accepted(report) : rejected(report)), ...details(report), element("p", { class: "soft" }, `Checked in ${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms.`));
}

function accepted(report) {
  const model = report.modelName ?? "behind this key";
  return [
    element("div", { class: "verdict accepted" },
      element("h2", {}, "Accepted"),
      element("p", {}, `The model ${model}, run on ${sideWords(report.input, "input")}, gave ${sideWords(report.output, "output")}, ${jobWords(report.job)}.`),
      warning(report)),
    element("h2", {}, "What was checked"),
    element("ul", {},
      element("li", {}, "The key is well formed, and the proof was made under it."),
      element("li", {}, "The proof proves the claim below: a false one passes with a chance of less than 2^-" + `${report.strength.random_points_bits} a try.`),
      compared("The input", report.input),
      compared("The output", report.output),
      report.leaf === null ? null
        : element("li", {}, `The claim is number ${report.leaf.index} of the ${report.leaf.claims} of this proof, counted from 0. Of the others this file shows nothing but hashes.`),
      element("li", {}, "The names of model and files are the word of the key's maker. Only an audit with the ONNX file shows that they are true.")),
  ];
}

function warning(report) {
  if (report.setup.kind !== "insecureDevelopment") return null;
  return element("p", { class: "alarm" }, "It stands on the development setup, whose secret is public: anybody can forge such a proof. It is no evidence.");
}

function compared(name, side) {
  const text = side.compared
    ? `${name} is what you expect.`
    : `${name} was NOT compared with anything: it is what the prover chose or claims.`;
  return element("li", {}, text);
}

function rejected(report) {
  return [
    element("div", { class: "verdict rejected" },
      element("h2", {}, "Rejected"),
      element("p", {}, capital(report.reason) + "."),
      element("p", {}, "Refused by the check: ", ...report.codes.flatMap((word, i) => [i ? ", " : "", code(word)])),
      hint(report)),
  ];
}

function hint(report) {
  const words = {
    "insecure-srs": "In development, accept the development setup above.",
    "untrusted-srs": `If you trust the setup ${report.setup.name}, give its digest above: ${report.setup.digest}`,
  };
  const found = report.codes.map((word) => words[word]).find((text) => text !== undefined);
  return found === undefined ? null : element("p", {}, found);
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function sideWords(side, name) {
  if (side.tensors === null) return `a hidden ${name}`;
  return side.compared ? `the ${name} that you expect` : `the ${name} below`;
}

function jobWords(job) {
  if (job.isNone) return "for no job";
  return job.payee === null ? "for a job that pays nobody" : `for a job that pays ${job.payee}`;
}

function placeWords({ index, claims }) {
  return `claim ${index} of ${claims} in one proof (counted from 0), checked without the others`;
}

function details(report) {
  const claims = report.verdict === "accepted" ? "What it shows" : "What it claims, unproven";
  const { setup, strength, leaf, job } = report;
  const kind = { ceremony: "a public ceremony that this version knows", insecureDevelopment: "INSECURE, for development", unknown: "not known to this version" };
  const bits = strength.bits === 0 ? "none: the secret of this setup is public" : `about ${strength.bits} bits, if the secret of the setup was destroyed`;
  const rows = [
    ["Model", report.modelName === null ? "without a label" : `${report.modelName}, so its maker says`],
    ["Digest of the ONNX file", code(report.modelDigest)],
    ["Key", code(report.keyDigest)],
    ["Accuracy report", report.accuracyDigest === null ? "none is bound" : code(report.accuracyDigest)],
    ["Trusted setup", `${setup.name}: ${kind[setup.kind]}`],
    ["Strength", bits],
  ];
  if (leaf !== null) {
    rows.push(["Place", placeWords(leaf)], ["Root of all claims", leaf.root === null ? "none: the path does not fit the place" : code(leaf.root)]);
  }
  if (!job.isNone) {
    rows.push(["Job", code(job.job)], ["Chain", job.chain], ["Pays", job.payee === null ? "NOBODY" : code(job.payee)],
      ["Expires", job.expires ?? "never"], ["Nonce", job.nonce]);
  } else rows.push(["Job", "none: it pays nobody, and does not expire"]);
  return [
    element("h2", {}, claims),
    facts(rows),
    ...sideDetails("Input", report.input),
    ...sideDetails("Output", report.output),
    element("h2", {}, "What no proof of this kind shows"),
    element("ul", {}, ...[
      "that the model is good, fair, or the one you need",
      "that the input is authentic: somebody chose it",
      "how close the integers are to the float model, beyond the accuracy report",
      "that this software is free of errors: it has not been audited",
    ].map((text) => element("li", {}, text))),
  ];
}

function sideDetails(name, side) {
  const made = [element("h2", {}, name)];
  if (side.commitment !== null) made.push(facts([["Commitment", code(side.commitment)]]));
  if (side.tensors === null) made.push(element("p", { class: "soft" }, "Hidden: only its commitment is public."));
  for (const tensor of side.tensors ?? []) {
    made.push(element("h3", {}, `${tensor.name} [${tensor.shape.join(", ")}]`));
    const picture = pictureOf(tensor);
    if (picture !== null) made.push(picture);
    made.push(...elements(tensor, picture !== null));
  }
  return made;
}

function elements(tensor, folded) {
  const { name, values, classes } = tensor;
  const place = (i) => (classes?.[i] == null ? String(i) : `${i} ${classes[i]}`);
  const rows = (from, to) => {
    const body = element("tbody", {}, ...values.slice(from, to).map((value, i) =>
      element("tr", {}, element("td", {}, place(from + i)), element("td", {}, String(Number(value.toPrecision(6)))))));
    const head = element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Element"), element("th", { scope: "col" }, "Value")));
    return element("div", { class: "scroll" }, element("table", {}, element("caption", {}, `Elements of ${name}`), head, body));
  };
  const first = folded ? 0 : Math.min(values.length, SHOWN_ELEMENTS);
  const last = Math.min(values.length, MOST_ELEMENTS);
  const made = first > 0 ? [rows(0, first)] : [];
  if (last > first) made.push(element("details", {}, element("summary", {}, `${last - first} ${folded ? "" : "more "}elements`), rows(first, last)));
  if (values.length > last) made.push(element("p", { class: "soft" }, `and ${values.length - last} more, not shown`));
  return made;
}

/** A tensor of one or three channels as a picture. */
function pictureOf({ name, shape, values }) {
  const sides = shape.slice(shape.findIndex((side) => side !== 1));
  let [height, width, channels, last] = [0, 0, 1, false];
  if (sides.length === 2) [height, width] = sides;
  else if (sides.length === 3 && sides[0] === 3) [channels, height, width] = sides;
  else if (sides.length === 3 && (sides[2] === 3 || sides[2] === 1)) [height, width, channels, last] = [...sides, true];
  const fits = (side) => side >= 4 && side <= 1024;
  if (!fits(height) || !fits(width) || values.length !== height * width * channels) return null;
  const canvas = element("canvas", { role: "img", "aria-label": shown(`${name} as a picture of ${width} by ${height} pixels`) });
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (context === null) return null;
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let c = 0; c < 3; c++) {
      const channel = Math.min(c, channels - 1);
      const value = values[last ? pixel * channels + channel : channel * height * width + pixel];
      image.data[4 * pixel + c] = high > low ? (255 * (value - low)) / (high - low) : 0;
    }
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Waits for what it was given, then checks where there is enough. */
async function after(work, focus) {
  await work;
  if (given.key !== null && given.proof !== null) await run();
  if (focus) field("result").focus();
}

for (const name of Object.keys(given)) {
  field(name).addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file !== undefined) after(take(file, name), false);
    else [given[name], field(`${name}-state`).textContent] = [null, ""];
  });
}
field("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run().then(() => field("result").focus());
});
const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
}
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!carriesFiles(event)) return;
  event.preventDefault();
  after(Promise.all([...event.dataTransfer.files].map((file) => take(file))), true);
});
