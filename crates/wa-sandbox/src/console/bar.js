// Above: name, profile, clock, faults, record, reset, light and dark.

import { attempt, calmly, day, dialog, h, toast } from "./element.js";
import { get, post, remove, text } from "./server.js";
import { known, refresh } from "./who.js";

const THEME = "wa-sandbox-theme";
const THEMES = { auto: "Auto", light: "Light", dark: "Dark" };
const CERTIFICATES = [["", "as they should be"], ["intermediate_signature", "intermediate: signature spoilt"],
  ["leaf_signature", "leaf: signature spoilt"], ["intermediate_issuer", "intermediate: another issuer"],
  ["leaf_issuer", "leaf: another issuer"], ["leaf_key", "leaf: another key"], ["not_yet_valid", "valid from tomorrow"],
  ["expired", "valid until yesterday"]];

/** Name, what it does, and how it is counted. */
const FAULTS = [
  ["drop", "Stanzas to clients that are lost", "times"],
  ["duplicate", "Stanzas to clients that come twice", "times"],
  ["reorder", "Stanzas to clients that change places with the next", "times"],
  ["corrupt", "Frames to clients with a flipped bit", "times"],
  ["delay", "Seconds by which stanzas to clients are late", "s"],
  ["login_failure", "Every login fails with this reason", "401"],
  ["go_away", "Connections that are told to go away", "times"],
  ["enlistment_unavailable", "Enlistments that get HTTP 503", "times"],
  ["media_unavailable", "Requests to the media host that get HTTP 503", "times"],
  ["media_delay", "Milliseconds by which media are late", "ms"],
  ["push_drop", "Pushes that are not sent", "times"],
  ["push_delay", "Milliseconds by which pushes are late", "ms"],
  ["push_forged", "Pushes whose token is forged", "times"],
  ["push_malformed", "Pushes whose body is not JSON", "times"],
];

let live;
let clock;
let faultsButton;
let offset = 0;
let hasFaults = false;

export async function startBar(bar) {
  live = h("span", { class: "live", role: "status" }, "…");
  clock = h("time", { class: "clock", title: "The sandbox’s clock" });
  faultsButton = h("button", { type: "button", id: "faults", onclick: () => attempt(faultMenu) }, "Faults");
  const step = (label, seconds) => h("button", { type: "button", class: "quiet", "aria-label": `Set the clock forward by ${label}`,
    onclick: () => attempt(() => forward(seconds)) }, `+${label}`);
  const theme = h("button", { type: "button", class: "quiet", id: "theme", title: "Light or dark", onclick: () => nextTheme(theme) });
  bar.replaceChildren(
    h("h1", {}, "wa-sandbox"), h("span", { class: "profile", id: "profile" }), live,
    h("div", { class: "tools" }, clock, step("1 h", 3600), step("1 d", 86_400), step("30 d", 30 * 86_400)),
    h("div", { class: "tools" }, faultsButton,
      h("button", { type: "button", class: "quiet", onclick: exportMenu }, "Record"),
      h("button", { type: "button", class: "quiet", id: "reset", onclick: resetMenu }, "Reset"),
      theme, h("button", { type: "button", class: "quiet", "aria-label": "Keys and help", title: "Help ( ? )", onclick: help }, "?")));
  setTheme(theme, localStorage.getItem(THEME) ?? "auto");
  await attempt(readClock);
  await attempt(readFaults);
  setInterval(drawClock, 1000);
}

export function drawAbout() {
  const { profile, strict, version } = known.about;
  document.getElementById("profile").textContent = `${version} · profile ${profile}${strict ? " · strict" : ""}`;
}

export function setLive(isLive) {
  live.textContent = isLive ? "live" : "not connected";
  live.classList.toggle("off", !isLive);
}

export async function readClock() {
  offset = (await get("clock")).offset;
  known.offset = offset;
  drawClock();
}

function drawClock() {
  const now = Math.floor(Date.now() / 1000) + offset;
  clock.textContent = day(now);
  clock.classList.toggle("moved", Math.abs(offset) > 1);
}

async function forward(seconds) {
  offset = (await post("clock", { advance: seconds })).offset;
  drawClock();
  toast("The clock was set forward");
  await refresh();
}

/** While faults are set, they count down with what goes over the wire. */
export const countFaults = calmly(500, () => hasFaults && attempt(readFaults));

export async function readFaults() {
  const faults = await get("faults");
  const active = Object.entries(faults).filter(([, value]) => value);
  hasFaults = active.length > 0;
  faultsButton.replaceChildren("Faults", ...(active.length ? [h("span", { class: "badge bad" }, String(active.length))] : []));
  faultsButton.title = active.map(([name, value]) => `${name} ${value}`).join(", ") || "Nothing goes wrong on purpose";
  return faults;
}

async function faultMenu() {
  const faults = await readFaults();
  const rows = FAULTS.map(([name, label, unit]) => h("label", { class: "field inline" }, h("span", {}, label),
    h("input", { type: "number", name, min: "0", max: "4294967295", placeholder: unit, value: faults[name] || "" })));
  const certificate = h("label", { class: "field inline" }, h("span", {}, "Certificates of later handshakes"),
    h("select", { name: "certificate" }, CERTIFICATES.map(([value, label]) => h("option", { value, selected: (faults.certificate ?? "") === value }, label))));
  const submit = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    const change = { certificate: values.certificate || null };
    for (const [name] of FAULTS) change[name] = values[name] ? Number(values[name]) : name === "login_failure" ? null : 0;
    if (await attempt(() => post("faults", change))) box.close();
    await attempt(readFaults);
  };
  const none = async () => {
    await attempt(() => remove("faults"));
    await attempt(readFaults);
    box.close();
  };
  const box = dialog("Faults", h("form", { onsubmit: submit, class: "faults" },
    h("p", { class: "hint" }, "What goes wrong from now on. Numbers count down as it happens."), rows, certificate,
    h("div", { class: "actions" }, h("button", { type: "button", class: "quiet", onclick: none }, "Nothing goes wrong"),
      h("button", { class: "primary" }, "Let it happen"))));
}

function exportMenu() {
  const save = (format, name) => async () => {
    const content = await attempt(() => text(`transcript?format=${format}`));
    if (content === undefined) return;
    const url = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    box.close();
  };
  const box = dialog("Record", h("p", {}, "Everything that went over the wire, the newest 20,000 stanzas, as a file."),
    h("div", { class: "actions" }, h("button", { type: "button", class: "primary", onclick: save("xml", "transcript.xml") }, "XML"),
      h("button", { type: "button", class: "primary", onclick: save("jsonl", "transcript.jsonl") }, "JSON lines")));
}

function resetMenu() {
  const reset = async () => {
    box.close();
    if (await attempt(() => post("reset"))) location.assign("/");
  };
  const box = dialog("Reset", h("p", {}, "Everything goes back to the start: users, conversations, log, faults. The server keeps its keys."),
    h("div", { class: "actions" }, h("button", { type: "button", class: "primary", id: "reset-now", onclick: reset }, "Reset")));
}

function nextTheme(button) {
  const all = Object.keys(THEMES);
  setTheme(button, all[(all.indexOf(document.documentElement.dataset.theme) + 1) % all.length]);
}

function setTheme(button, theme) {
  document.documentElement.dataset.theme = theme in THEMES ? theme : "auto";
  button.textContent = THEMES[document.documentElement.dataset.theme];
  button.setAttribute("aria-label", `Theme: ${button.textContent}`);
  localStorage.setItem(THEME, document.documentElement.dataset.theme);
}

const KEYS = [["/", "filter the stanzas"], ["j, k", "next and previous row"], ["Enter", "open the row"], ["Esc", "close it"],
  ["c", "write"], ["p", "pause the log"], ["g p", "go to the phones"], ["g u", "go to the users"], ["g w", "go to the wire"],
  ["1 … 4", "stanzas, deviations, pushes, HTTP"], ["?", "this"]];

export function help() {
  if (document.querySelector("dialog")) return;
  const { addresses } = known.about;
  dialog("Help", h("dl", { class: "keys" }, KEYS.map(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)])),
    h("h3", {}, "Where everything is"),
    h("dl", {}, [["Enlistment", addresses.enlist], ["chatd", addresses.chat], ["Integrator", addresses.integrator ?? "your own"],
      ["TLS", addresses.https], ["Control", `${addresses.control}openapi.yaml`]].map(([name, value]) => [h("dt", {}, name), h("dd", {}, h("code", {}, value))])));
}
