// The right pane: what went over the wire, what was wrong with it, pushes, HTTP.

import { attempt, calmly, copyable, h, redraw, time } from "./element.js";
import { get } from "./server.js";
import { go, here, onMove, openRow, row, tab } from "./place.js";
import { known, onKnown, user } from "./who.js";
import { Log, PAGE } from "./log.js";
import { drawDetail } from "./detail.js";

const TAGS = ["message", "receipt", "ack", "iq", "ib", "notification", "chatstate", "success", "failure"];
const names = { stanza: "Stanzas", deviation: "Deviations", push: "Pushes", http: "HTTP" };

const filter = { text: "", tag: "", by: "", login: "" };
const counts = { deviation: 0, push: 0, http: 0 };
let tabs;
let filters;
let body;
let detail;
let logs;

export const log = () => logs[tab()];

export function startWire(pane) {
  filter.text = here.filter ?? "";
  logs = {
    stanza: new Log("Stanzas", { drawn: stanzaCells, page: stanzaPage, opened: open("stanza"), empty: noStanza }),
    deviation: new Log("Deviations", { drawn: recordCells, page: wholePage("deviations", "deviations"), opened: open("deviation"),
      empty: () => h("p", {}, "No client has done anything against the documents. Each deviation will be explained here: the rule, where it is written, how to mend it.") }),
    push: new Log("Pushes", { drawn: pushCells, page: wholePage("pushes", "pushes"), opened: open("push"),
      empty: () => h("p", {}, "No push was sent. One goes to the integrator when a message waits for a user who is not connected: disconnect a user and write to her.") }),
    http: new Log("HTTP", { drawn: exchangeCells, page: wholePage("exchanges", "exchanges"), opened: open("http"),
      empty: () => h("p", {}, "Nothing was asked over HTTP yet: enlistments, key sets and media will be here.") }),
  };
  tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Wire", onkeydown: turn });
  filters = h("div", { class: "filters" });
  body = h("div", { class: "wirebody", role: "tabpanel", id: "wirebody" });
  detail = h("section", { class: "detail", "aria-label": "The chosen row", hidden: true });
  pane.append(tabs, filters, body, detail);
  drawFilters();
  onMove((before) => {
    if ((here.filter ?? "") !== filter.text) {
      filter.text = here.filter ?? "";
      filters.querySelector("input").value = filter.text;
      logs.stanza.load();
    }
    draw(before);
  });
  onKnown(drawSelects);
  for (const log of Object.values(logs)) attempt(() => log.load());
  draw();
}

const open = (name) => (number) => openRow(name, number);

function draw() {
  const name = tab();
  drawTabs();
  filters.hidden = name !== "stanza";
  if (body.firstChild !== log().element) {
    body.replaceChildren(log().element);
    log().list.scrollTop = log().list.scrollHeight;
  }
  body.setAttribute("aria-labelledby", `tab-${name}`);
  const number = row();
  detail.hidden = number === null;
  if (log().chosen !== number) log().choose(number, false);
  if (number !== null) attempt(() => drawDetail(detail, name, number, log()));
}

function drawTabs() {
  counts[tab()] = 0;
  redraw(tabs, [tab(), counts], () => Object.entries(names).map(([name, label]) => {
    const isHere = tab() === name;
    return h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(isHere), "aria-controls": "wirebody",
      tabindex: isHere ? "0" : "-1", onclick: () => openRow(name) }, label,
    counts[name] ? h("span", { class: "badge" }, String(counts[name])) : null);
  }));
}

function turn(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = Object.keys(names);
  openRow(all[(all.indexOf(tab()) + step + all.length) % all.length]);
  document.getElementById(`tab-${tab()}`).focus();
}

// Stanzas

async function stanzaPage({ before, after }) {
  const query = new URLSearchParams({ limit: PAGE });
  for (const [name, value] of Object.entries({ ...filter, before, after })) if (value) query.set(name, value);
  return (await get(`stanzas?${query}`)).stanzas;
}

/** A stanza has gone over the wire. One that a filter must look into is asked for. */
export function hearStanza(item) {
  if (filter.login && item.login !== filter.login) return;
  if (filter.by && item.by !== filter.by) return;
  if (filter.tag && item.tag !== filter.tag) return;
  if (filter.text) return seekSoon();
  return logs.stanza.add(item);
}

const seekSoon = calmly(200, () => attempt(async () => {
  const after = logs.stanza.items.at(-1)?.number ?? 0;
  for (const item of await stanzaPage({ after: after || null })) logs.stanza.add(item);
}));

const nameOf = (login) => user(login)?.user ?? login?.split("@")[0] ?? "—";

function stanzaCells({ at, by, login, tag, type, size, line }) {
  const isClients = by === "client";
  return [
    h("span", { class: "at" }, time(at)),
    h("span", { class: `arrow ${by}`, role: "img", "aria-label": isClients ? "from the client" : "to the client" }, isClients ? "▲" : "▼"),
    h("span", { class: "party" }, nameOf(login)),
    h("span", { class: "tag" }, tag, type ? h("span", { class: "type" }, ` ${type}`) : null),
    h("span", { class: "size" }, String(size)),
    h("code", { class: "line" }, line),
  ];
}

function noStanza() {
  if (Object.values(filter).some(Boolean)) return h("p", {}, "Nothing fits the filter.");
  const { addresses } = known.about ?? { addresses: {} };
  return [
    h("p", {}, "No stanza yet. Enlist a user on the left, or let your own client connect to chatd:"),
    copyable(addresses.chat ?? ""),
    h("p", {}, "The root key of its certificates, in hexadecimal:"),
    copyable(addresses.noise_root ?? ""),
    h("p", { class: "hint" }, "docs/SANDBOX.md walks through the handshake, the login and the first message."),
  ];
}

function drawFilters() {
  const typed = calmly(200, () => go({ filter: input.value || null }, false));
  const input = h("input", { type: "search", id: "filter", placeholder: "Filter ( / )", "aria-label": "Filter stanzas by text",
    value: filter.text, oninput: typed });
  const pause = h("button", { type: "button", class: "quiet", id: "pause", "aria-pressed": "false", title: "Pause ( p )", onclick: () => {
    const isPaused = pause.getAttribute("aria-pressed") === "false";
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
    logs.stanza.pause(isPaused);
  } }, "Pause");
  filters.append(input, select("tag", "Tag", [["", "all tags"], ...TAGS.map((it) => [it, it])]),
    select("by", "Direction", [["", "⇅ both"], ["client", "▲ client"], ["server", "▼ server"]]),
    select("login", "Who", [["", "everybody"]]), pause);
}

function select(name, label, options) {
  return h("select", { id: `filter-${name}`, "aria-label": label, onchange: (event) => {
    filter[name] = event.target.value;
    attempt(() => logs.stanza.load());
  } }, options.map(([value, text]) => h("option", { value }, text)));
}

function drawSelects() {
  const who = filters.querySelector("#filter-login");
  const names = known.users.map(({ login, user: name }) => [login, name]);
  redraw(who, names, () => [["", "everybody"], ...names].map(([login, name]) => h("option", { value: login }, name)));
  who.value = filter.login;
  if (logs.stanza.items.length === 0) logs.stanza.drawNothing();
}

// The other tabs: short enough to be whole.

const wholePage = (path, name) => async ({ before, after }) => (before || after ? [] : (await get(path))[name]);

export function hear(name, item) {
  if (tab() !== name) {
    counts[name] += 1;
    drawTabs();
  }
  logs[name].add(item);
}

function recordCells({ at, class: kind, who, rule, what, times }) {
  return [
    h("span", { class: "at" }, time(at)),
    h("span", { class: `class ${kind}` }, kind),
    h("span", { class: "party" }, who.user ?? who.login ?? "—"),
    h("span", { class: "tag" }, rule),
    h("span", { class: "size" }, times > 1 ? `${times}×` : ""),
    h("span", { class: "line" }, what),
  ];
}

const verdict = (status) => h("span", { class: status >= 200 && status < 400 ? "status good" : "status bad" }, status ?? "no answer");

function pushCells({ at, to, url, http, status }) {
  return [
    h("span", { class: "at" }, time(at)),
    verdict(status),
    h("span", { class: "party" }, to),
    h("span", { class: "tag" }, "push"),
    h("span", { class: "size" }, `HTTP/${http}`),
    h("span", { class: "line" }, url),
  ];
}

function exchangeCells({ at, direction, about, method, url, status, length }) {
  const isIn = direction === "in";
  return [
    h("span", { class: "at" }, time(at)),
    verdict(status),
    h("span", { class: "party" }, h("span", { role: "img", "aria-label": isIn ? "to the sandbox" : "from the sandbox" }, isIn ? "▲" : "▼"), ` ${about}`),
    h("span", { class: "tag" }, method),
    h("span", { class: "size" }, length === null ? "" : String(length)),
    h("code", { class: "line" }, url),
  ];
}
