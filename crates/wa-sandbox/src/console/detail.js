// The open row: a stanza with its content, a deviation as a lesson, a push, an exchange over HTTP.

import { copy, day, h } from "./element.js";
import { get } from "./server.js";
import { openRow } from "./place.js";
import { known } from "./who.js";
import { dump, marked, pretty, tree } from "./xml.js";

let turn = 0;

/** Draws a row of a tab. */
export async function drawDetail(pane, name, number, log) {
  const mine = (turn += 1);
  const item = log.items.find((it) => it.number === number);
  const drawn = { stanza, deviation, push, http }[name];
  const parts = await drawn(number, item).catch((problem) => [h("p", { class: "hint" }, problem.message)]);
  if (mine !== turn) return;
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => openRow(name) }, "✕");
  const at = parts.shift();
  pane.replaceChildren(h("header", {}, h("h2", {}, at), close), ...parts.filter(Boolean));
}

const copying = (label, text) => {
  const button = h("button", { type: "button", class: "quiet", onclick: () => copy(text, button) }, label);
  return button;
};

/** One word for a shell, whatever is in it: lines are pasted into terminals. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** What would send the same stanza of the server's once more, or show this one again. */
function curl({ by, login, xml, number }) {
  const { control } = known.about.addresses;
  return by === "server" && login ? `curl -s ${control}accounts/${login}/notify -d ${quoted(JSON.stringify({ xml }))}`
    : `curl -s ${control}stanzas/${number}`;
}

async function stanza(number) {
  const it = await get(`stanzas/${number}`);
  const way = it.by === "client" ? "▲ from the client" : "▼ to the client";
  return [
    `#${it.number} ${it.tag}`,
    h("p", { class: "about" }, `${way} ${it.login ?? ""} · ${day(it.at)} · ${it.size} bytes · connection ${it.connection}`),
    it.deviations.length ? h("p", {}, it.deviations.map((record) => h("button", { type: "button", class: "link bad",
      onclick: () => openRow("deviation", record) }, `Deviation or note ${record} is about this`))) : null,
    h("div", { class: "actions" }, copying("Copy XML", it.xml), copying("Copy hex", it.hex), copying("Copy curl", curl(it)),
      copying("Copy link", location.href)),
    it.xml ? pretty(it.xml) : null,
    it.is_cut ? h("p", { class: "hint" }, "It is longer than is shown.") : null,
    it.content ? h("h3", {}, `What +${it.content.phone} decrypted`) : null,
    it.content ? tree(it.content.tree) : null,
    it.content ? h("details", {}, h("summary", {}, "its bytes"), dump(it.content.hex, it.content.hex.length / 2)) : null,
    h("details", {}, h("summary", {}, `the stanza’s ${it.bytes} bytes, behind the flag byte`), dump(it.hex, it.bytes)),
  ];
}

async function deviation(number) {
  const { deviations } = await get(`deviations?after=${number - 1}`);
  const it = deviations.find((record) => record.number === number);
  if (!it) return ["Not kept", h("p", {}, `Record ${number} is not kept any more.`)];
  const fact = (name, value) => value && [h("dt", {}, name), h("dd", {}, value)];
  return [
    `${it.class === "note" ? "Note" : "Deviation"} ${it.number}: ${it.rule}`,
    h("p", { class: "what" }, it.what),
    it.marked ? marked(it.marked) : null,
    h("dl", {}, fact("Rule", it.says), fact("Written in", it.source), fact("Mend it", it.mend), fact("Answered with", it.answer),
      fact("Who", [it.who.user, it.who.login].filter(Boolean).join(" · ") || `connection ${it.who.connection ?? "—"}`),
      fact("When", day(it.at) + (it.times > 1 ? `, ${it.times} times` : ""))),
    h("div", { class: "actions" }, it.stanza_number ? h("button", { type: "button", class: "quiet",
      onclick: () => openRow("stanza", it.stanza_number) }, `Show stanza ${it.stanza_number}`) : null,
    it.stanza ? copying("Copy XML", it.stanza) : null, copying("Copy link", location.href)),
  ];
}

const facts = (item) => h("dl", {}, Object.entries(item).filter(([, value]) => value !== null && value !== "")
  .map(([name, value]) => [h("dt", {}, name), h("dd", {}, name === "at" ? day(value) : String(value))]));

async function push(number, item) {
  const it = item ?? (await get("pushes")).pushes.find((each) => each.number === number);
  if (!it) return ["Not kept"];
  const why = it.status === null ? "Nobody answered: is the integrator’s server running?"
    : it.status >= 400 ? "The integrator refused it: 401 means that it did not like the token." : null;
  return [`Push ${number} to ${it.to}`, why && h("p", { class: "what" }, why), facts(it)];
}

async function http(number, item) {
  const it = item ?? (await get("exchanges")).exchanges.find((each) => each.number === number);
  if (!it) return ["Not kept"];
  const { sent, answered, ...rest } = it;
  const url = it.direction === "in" ? known.about.addresses.media + it.url : it.url;
  const line = `curl -s ${quoted(url)}${sent ? ` -d ${quoted(sent)}` : ""}`;
  const body = (title, text) => text && [h("h3", {}, title), h("pre", { class: "xml", tabindex: "0", "aria-label": title }, text)];
  return [`${it.method} ${it.about}`, facts(rest), h("div", { class: "actions" }, copying("Copy curl", line)),
    ...(body("Sent", sent.replaceAll("&", "\n&")) || []), ...(body("Answered", answered) || [])];
}

