// The left pane: phones, third parties' users, integrators.

import { ask, attempt, calmly, copyable, h, redraw, time } from "./element.js";
import { get, post } from "./server.js";
import { go, here, onMove } from "./place.js";
import { showPane } from "./panes.js";

/** Users that are shown at once. */
const MAX_USERS = 100;

/** What is known: phones, users (accounts), which of them are demonstration users, integrators. */
export const known = { about: null, phones: [], users: [], total: 0, demo: new Map(), integrators: [] };

const unread = new Map();
const changed = [];
let search = "";
let pane;

export const onKnown = (listener) => changed.push(listener);
export const user = (login) => known.users.find((it) => it.login === login);
export const phone = (number) => known.phones.find((it) => it.number === number);

/** Reads everything again; what is open is fetched even if the list is too short for it. */
export async function refresh() {
  const query = `accounts?limit=${MAX_USERS}&text=${encodeURIComponent(search)}`;
  const [phones, users, demo, integrators] =
    await Promise.all([get("phones"), get(query), get("demo/users"), get("integrators")]);
  known.phones = phones.phones;
  known.users = users.accounts;
  known.total = users.total;
  known.demo = new Map(demo.users.map((it) => [it.login, it]));
  known.integrators = integrators.integrators;
  if (here.user && !user(here.user)) {
    const account = await get(`accounts/${encodeURI(here.user)}`).catch(() => null);
    if (account) known.users.push(account);
  }
  draw();
  changed.forEach((listener) => listener());
}

export const refreshSoon = calmly(400, () => attempt(refresh));

/** A message in a conversation that is not open. */
export function count(number, login) {
  if (number === here.phone && login === here.user) return;
  unread.set(login, (unread.get(login) ?? 0) + 1);
}

export async function startWho(element) {
  pane = element;
  onMove(() => {
    unread.delete(here.user);
    draw();
  });
  known.about = await get("");
  await refresh();
  // Somebody is chosen from the start, so that there is something to see.
  const first = { phone: here.phone ?? known.phones[0]?.number, user: here.user ?? known.users[0]?.login };
  go(first, false);
}

function draw() {
  const { phones, users, total, demo, integrators } = known;
  const shown = [phones, users.map(({ last_seen, ...it }) => it), total, [...demo], integrators, [...unread], here.phone, here.user, search];
  redraw(pane, shown, () => [
    group("Phones", "phones", addPhone, "Add a phone", known.phones.map(phoneRow), "Nobody is on WhatsApp."),
    group("Users", "users", addUser, "Enlist a user", [searchField(), ...known.users.map(userRow), more()], noUser()),
    group("Integrators", "integrators", addIntegrator, "Onboard an integrator", known.integrators.map(integratorRow),
      "No third party is onboarded.")]);
}

function group(title, id, add, label, rows, empty) {
  const heading = h("div", { class: "heading" }, h("h2", { id: `${id}-title` }, title),
    h("button", { type: "button", class: "quiet", id: `add-${id}`, "aria-label": label, title: label, onclick: add }, "+"));
  const shown = rows.filter(Boolean);
  const list = h("ul", { "aria-labelledby": `${id}-title`, id }, shown);
  return h("div", { class: "group" }, heading,
    shown.length ? list : h("div", { class: "empty small" }, empty));
}

function row(id, chosen, dot, state, name, about, badge, onclick) {
  const button = h("button", { type: "button", id, class: "who", "aria-current": chosen ? "true" : null, onclick },
    h("span", { class: `dot ${dot}`, title: state }),
    h("span", { class: "name" }, name),
    badge ? h("span", { class: "badge", title: badge[1] }, String(badge[0])) : null,
    h("span", { class: "about" }, about));
  return h("li", {}, button);
}

function choose(changes) {
  go(changes);
  showPane("chat");
}

function phoneRow({ number, manners }) {
  const now = Date.now() / 1000 + (known.offset ?? 0);
  const isAway = manners.away_until > now;
  const does = [
    manners.answers ? (manners.answers_after ? `answers after ${manners.answers_after} s` : "answers") : "does not answer",
    manners.lively && "types",
    manners.silent && "no receipts",
    manners.withheld && "withheld",
    isAway && "away",
  ].filter(Boolean).join(", ");
  return row(`phone-${number}`, number === here.phone, isAway ? "off" : "on", isAway ? "away" : "online", `+${number}`,
    does, null, () => choose({ phone: number }));
}

function userRow(account) {
  const { login, user: name, connected, mailbox } = account;
  const waits = mailbox ? `mail waiting ${mailbox}` : "";
  const state = connected ? "connected" : "not connected";
  const about = [known.demo.has(login) ? "demonstration" : null, state, waits].filter(Boolean).join(", ");
  const fresh = unread.get(login);
  const badge = fresh ? [fresh, `${fresh} new`] : account.deviations ? [`! ${account.deviations}`, "deviations"] : null;
  return row(`user-${login}`, login === here.user, connected ? "on" : "off", state, name, about, badge,
    () => choose({ user: login }));
}

function integratorRow({ id, base_url: url, fetched, reachable }) {
  const keys = fetched ? `keys ${reachable ? "fetched" : "missed"} ${time(fetched)}` : "keys not fetched yet";
  return h("li", { class: "integrator" },
    h("span", { class: `dot ${reachable ? "on" : "bad"}`, title: reachable ? "reachable" : "not reachable" }),
    h("span", { class: "name" }, `${id} · ${url.replace(/^https?:\/\//, "")}`),
    h("span", { class: "about" }, keys,
      h("button", { type: "button", class: "link", onclick: () => attempt(() => post(`integrators/${id}/fetch-keys`)),
        "aria-label": `Fetch the keys of integrator ${id}` }, "fetch")));
}

function searchField() {
  if (known.total <= 8 && !search) return null;
  const input = (event) => {
    search = event.target.value;
    refreshSoon();
  };
  return h("li", {}, h("input", { type: "search", id: "search-users", placeholder: `Find one of ${known.total}`,
    "aria-label": "Find a user", value: search, oninput: input }));
}

function more() {
  const hidden = known.total - known.users.length;
  return hidden > 0 ? h("li", { class: "about" }, `and ${hidden} more`) : null;
}

function noUser() {
  if (!known.about) return [];
  const { addresses } = known.about;
  if (!addresses.integrator) return "Nobody has enlisted yet: your own server does it.";
  return [
    h("p", {}, "Nobody has enlisted yet. The demonstration integrator can do it:"),
    h("button", { type: "button", class: "primary", id: "enlist-first", onclick: () => attempt(() => enlist("alice")) },
      "Enlist alice"),
    h("p", {}, "or from a shell, with keys thrown away:"),
    copyable(`curl -s ${addresses.integrator}/form -d '{"user": "alice"}' | curl -s ${addresses.enlist} -d @-`),
  ];
}

async function enlist(name) {
  const { login } = await post("demo/users", { user: name });
  await refresh();
  choose({ user: login, phone: here.phone ?? known.phones[0]?.number });
}

export function addUser() {
  if (!known.about.addresses.integrator) {
    ask("Enlist a user", [], () => Promise.resolve(), "Your own server enlists its users.");
    return;
  }
  const name = ["alice", "bob", "carol", "dave"].find((it) => !known.users.some((user) => user.user === it)) ?? "eve";
  ask("Enlist a user", [["user", "User identifier", name]], ({ user }) => enlist(user),
    "A demonstration user: the sandbox enlists her and runs a client for her, which you can chat as.");
}

function addPhone() {
  ask("Add a phone", [["number", "Number, digits only", "4915112345678"]], async ({ number }) => {
    await post("phones", { number });
    await refresh();
    choose({ phone: number });
  });
}

function addIntegrator() {
  ask("Onboard an integrator", [["id", "Id, 1 to 999", "2"], ["base_url", "Base URL", "http://127.0.0.1:8080"]],
    async ({ id, base_url }) => {
      await post("integrators", { id: Number(id), base_url });
      await refresh();
    }, "Its tokens are issued by the base URL; its keys lie below it.");
}
