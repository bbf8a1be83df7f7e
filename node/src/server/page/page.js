// The page of a coordinator: asks for figures every two seconds and shows them. Whatever a node or
// a buyer has written is put in as text, never as markup.
"use strict";

const PERIOD = 2000;
const ENDS = ["settled", "accepted", "forfeited", "slashed", "refunded", "cancelled"];
const WORDS = {
  opened: "waits for a node", assigned: "with a node", answered: "answered", drawn: "to be proven",
  settled: "proven and paid", accepted: "paid without a proof", lapsed: "waits again",
  delivered: "proven, waits for the other parts", released: "waits again",
  forfeited: "paid, its sealed input was none", returned: "waits again",
  slashed: "slashed", refunded: "refunded", cancelled: "cancelled", undone: "undone by a crash",
};
const byId = (id) => document.getElementById(id);
let overview = null;
let paused = false;

/** An element with attributes and children, of which texts stay texts. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") element.addEventListener("click", value);
    else element.setAttribute(key, value);
  }
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

function drawing(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

const short = (name) => (name ? `${name.slice(0, 8)}…` : "–");
const milliseconds = (value) => {
  if (value === null || value === undefined) return "–";
  return value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
};
const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

/** Fills a table; a row is a list of cells: a text, an element, or [text, class]. */
function fill(table, headings, rows, nothing) {
  const head = make("tr", {}, ...headings.map(([text, number]) =>
    make("th", { scope: "col", ...(number ? { class: "number" } : {}) }, text)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, column) => {
    const [content, kind] = Array.isArray(cell) ? cell : [cell, ""];
    const [label, number] = headings[column];
    const classes = [kind, number ? "number" : ""].filter(Boolean).join(" ");
    return make("td", { "data-label": label, ...(classes ? { class: classes } : {}) }, content);
  })));
  if (rows.length === 0) {
    body.push(make("tr", {}, make("td", { colspan: headings.length }, nothing)));
  }
  table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
}

/** Keeps the focus where it was, although the element under it is a new one. */
function keepingFocus(change) {
  const focused = document.activeElement;
  const key = focused?.dataset?.key;
  change();
  if (key && !document.contains(focused)) {
    document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
}

function count(name) {
  return overview.events.find((one) => one.event === name)?.count ?? 0;
}

function showFigures(nodes) {
  const live = count("opened") - ENDS.reduce((sum, end) => sum + count(end), 0);
  const paid = overview.payments.reduce((sum, one) => sum + BigInt(one.amount), 0n);
  const last = [...overview.minutes].reverse().find((minute) => minute.answer_ms);
  const working = nodes.filter((node) => ["trusted", "probation"].includes(node.standing)).length;
  const figures = [
    ["Jobs that go on", Math.max(0, live)], ["Nodes at work", `${working} of ${nodes.length}`],
    ["Proven and paid", count("settled")], ["Paid without a proof", count("accepted")],
    ["Slashed", count("slashed")], ["Paid in all", paid],
    ["Answer, p95", milliseconds(last?.answer_ms.p95)],
  ];
  byId("figures").replaceChildren(...figures.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

/** A line for each series over the minutes; with a text of the same for who does not see it. */
function chart(place, minutes, series, unit) {
  const [width, height, left, bottom, top] = [320, 150, 40, 20, 8];
  const values = series.map(({ of }) => minutes.map(of));
  const known = values.flat().filter((value) => value !== null && value !== undefined);
  if (known.length === 0) {
    place.replaceChildren(make("p", { class: "hint" }, "Nothing yet."));
    return;
  }
  const most = Math.max(1, ...known);
  const first = minutes[0].start;
  const span = Math.max(60, minutes[minutes.length - 1].start - first);
  const x = (start) => left + ((start - first) / span) * (width - left - 12);
  const y = (value) => height - bottom - (value / most) * (height - bottom - top);
  const summary = series.map(({ name }, i) => {
    const line = values[i].filter((value) => value !== null && value !== undefined);
    return `${name} last ${line[line.length - 1]} ${unit}, highest ${Math.max(...line)} ${unit}`;
  });
  const label = `${minutes.length} minutes: ${summary.join("; ")}`;
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  svg.append(drawing("line", { class: "axis", x1: left, x2: width - 8, y1: y(0), y2: y(0) }));
  svg.append(drawing("line", { class: "axis", x1: left, x2: width - 8, y1: y(most), y2: y(most) }));
  svg.append(drawing("text", { x: left - 5, y: y(0) + 4, "text-anchor": "end" }, "0"));
  svg.append(drawing("text", { x: left - 5, y: y(most) + 4, "text-anchor": "end" }, most));
  svg.append(drawing("text", { x: left, y: height - 5 }, clock(first)));
  svg.append(drawing("text", { x: width - 8, y: height - 5, "text-anchor": "end" },
    clock(minutes[minutes.length - 1].start)));
  series.forEach(({ name, kind }, i) => {
    const points = minutes.map((minute, at) => [minute.start, values[i][at]])
      .filter(([, value]) => value !== null && value !== undefined);
    const path = points.map(([start, value], at) =>
      `${at ? "L" : "M"}${x(start).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    svg.append(drawing("path", { class: `${kind} ${kind}path`, d: path }));
    for (const [start, value] of points) {
      const dot = drawing("circle", { class: kind, cx: x(start), cy: y(value), r: 2.5 });
      dot.append(drawing("title", {}, `${clock(start)} ${name}: ${value} ${unit}`));
      svg.append(dot);
    }
  });
  place.replaceChildren(svg);
}

function showLatencies() {
  const { minutes } = overview;
  const both = (field) => ["p50", "p95"].map((kind) =>
    ({ name: kind, kind, of: (minute) => minute[field]?.[kind] ?? null }));
  chart(byId("answers"), minutes, both("answer_ms"), "ms");
  chart(byId("proofs"), minutes, both("proof_ms"), "ms");
  chart(byId("paid"), minutes, [{ name: "paid", kind: "p50", of: (minute) => minute.paid }], "jobs");
  const headings = [["Minute"], ["Opened", 1], ["Paid", 1], ["Amount", 1], ["Slashed", 1],
    ["Answer p50", 1], ["p95", 1], ["Proof p50", 1], ["p95", 1]];
  fill(byId("minutes"), headings, [...minutes].reverse().map((minute) => [
    clock(minute.start), minute.opened, minute.paid, minute.amount, minute.slashed,
    milliseconds(minute.answer_ms?.p50), milliseconds(minute.answer_ms?.p95),
    milliseconds(minute.proof_ms?.p50), milliseconds(minute.proof_ms?.p95),
  ]), "Nothing yet.");
}

/** What is special about a job: a part of another, a sealed input, a price that rises. */
function kinds(job) {
  return [job.whole ? `part of ${short(job.whole)}` : "", job.sealed ? "sealed" : "",
    job.from ? `rising from ${job.from}` : ""].filter(Boolean).join(", ");
}

function showDetails(job) {
  const values = [
    ["Name", job.job], ["State", WORDS[job.event] ?? job.event], ["Since", new Date(job.at).toLocaleString()],
    ["Kind", kinds(job) || "plain"], ["Node", job.node ?? "–"], ["Price", job.price], ["Order to answer", milliseconds(job.answer_ms)],
    ["Answer to paid proof", milliseconds(job.proof_ms)],
  ];
  const list = values.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  const links = [make("dt", {}, "More"), make("dd", {},
    make("a", { href: `/v1/jobs/${job.job}` }, "order and answer"),
    ...(job.event === "settled" ? [", ", make("a", { href: `/v1/jobs/${job.job}/proof` }, "proof")] : []))];
  byId("details-list").replaceChildren(...list, ...links);
  byId("details").showModal();
}

function showJobs() {
  const wanted = byId("filter").value;
  const jobs = overview.jobs.filter((job) => wanted === "" || job.event === wanted
    || (wanted === "live" && !ENDS.includes(job.event)));
  const kind = { settled: "good", slashed: "bad" };
  const headings = [["Job"], ["State"], ["Kind"], ["Node"], ["Price", 1], ["Answer", 1], ["Proof", 1]];
  fill(byId("job-table"), headings, jobs.map((job) => [
    make("button", { type: "button", "data-key": job.job, "aria-label": `Job ${job.job.slice(0, 8)}, details`,
      onclick: () => showDetails(job) }, short(job.job)),
    [WORDS[job.event] ?? job.event, kind[job.event] ?? ""],
    kinds(job) || "–",
    [make("span", { title: job.node ?? "", class: "name" }, short(job.node))],
    job.price, milliseconds(job.answer_ms), milliseconds(job.proof_ms),
  ]), "No such jobs.");
}

function showNodes(nodes) {
  const headings = [["Node"], ["Standing"], ["Device"], ["Has", 1], ["Proven", 1], ["Accepted", 1],
    ["Lapsed", 1], ["Slashed", 1], ["Answer", 1], ["Proof", 1]];
  fill(byId("node-table"), headings, nodes.map((node) => [
    make("span", { title: node.account, class: "name" }, short(node.account)),
    [node.standing, { trusted: "good", ejected: "bad" }[node.standing] ?? ""],
    node.capabilities.device.slice(0, 40), `${node.held} of ${node.capabilities.slots}`, node.proven,
    node.accepted, node.lapsed, node.slashed, milliseconds(node.answer_ms), milliseconds(node.proof_ms),
  ]), "No node has come yet.");
}

function showPayments() {
  fill(byId("payment-table"), [["Node"], ["Jobs", 1], ["Amount", 1]], overview.payments.map((one) => [
    make("span", { title: one.node, class: "name" }, short(one.node)), one.jobs, one.amount,
  ]), "Nobody was paid yet.");
}

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(10000) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function refresh() {
  const state = byId("state");
  try {
    const [figures, { nodes }] = await Promise.all([ask("/v1/overview"), ask("/v1/nodes")]);
    overview = figures;
    keepingFocus(() => {
      showFigures(nodes);
      showLatencies();
      showJobs();
      showNodes(nodes);
      showPayments();
    });
    state.textContent = `As of ${new Date(figures.now * 1000).toLocaleTimeString()}`;
    state.classList.remove("lost");
  } catch (error) {
    state.textContent = `The coordinator does not answer (${error.message}). Trying again.`;
    state.classList.add("lost");
  }
}

async function run() {
  if (!paused && !document.hidden) await refresh();
  setTimeout(run, PERIOD);
}

byId("filter").addEventListener("change", () => overview && showJobs());
byId("pause").addEventListener("click", (event) => {
  paused = !paused;
  event.currentTarget.setAttribute("aria-pressed", String(paused));
  event.currentTarget.textContent = paused ? "Go on" : "Pause";
});
for (const id of ["job-table", "node-table", "payment-table"]) byId(id).classList.add("cards");
run();
