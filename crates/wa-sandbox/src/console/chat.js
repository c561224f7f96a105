// The middle pane: one conversation, from either side.

import { ask, attempt, calmly, day, h, redraw, time } from "./element.js";
import { get, post, remove } from "./server.js";
import { go, here, onMove, openRow } from "./place.js";
import { known, onKnown, phone, user } from "./who.js";
import { composer, quote } from "./composer.js";
import { letGo, shownFile } from "./file.js";
import { showPane } from "./panes.js";

/** Messages that are shown at once. */
const MAX_SHOWN = 200;

let head;
let list;
let foot;
let typing;
/** By number: how it was drawn, and its element. */
let drawn = new Map();
let messages = [];
let typingTimer = null;

export const side = () => (here.as === "user" ? "user" : "phone");
const isUser = () => side() === "user";

/** Whether one can write from this side: as the users of others one cannot. */
export const canWrite = () => Boolean(here.phone && here.user) && (!isUser() || known.demo.has(here.user));

/** The path that acts for this side, and to whom it writes. */
export const actor = () => (isUser() ? [`demo/users/${here.user}`, here.phone] : [`phones/${here.phone}`, here.user]);

export function startChat(pane) {
  head = h("div", { class: "chathead" }, h("h2"), h("div", { class: "segments", role: "group", "aria-label": "Whose side" }),
    h("div", { class: "tools" }), h("p", { class: "about" }));
  list = h("ol", { id: "messages", tabindex: "0", "aria-label": "Messages" });
  typing = h("p", { class: "typing", role: "status" });
  foot = h("div", { class: "foot" });
  pane.append(head, list, typing, foot);
  onMove((before) => {
    if (before.phone === here.phone && before.user === here.user && before.as === here.as) return;
    messages = [];
    quote(null);
    showTyping(null);
    draw();
    drawFoot();
    attempt(load);
  });
  onKnown(() => {
    drawHead();
    drawFoot();
    if (messages.length === 0) draw();
  });
  drawFoot();
  attempt(load);
}

/** What one writes with stays while it is the same: somebody may be writing. */
function drawFoot() {
  redraw(foot, [here.phone, here.user, side(), canWrite(), user(here.user)?.user], composer);
}

/** Reads the conversation again. */
export async function load() {
  const { phone: number, user: login } = here;
  if (!number || !login) return draw();
  const path = `phones/${number}/chats/${encodeURI(login)}?limit=${MAX_SHOWN}`;
  const read = await get(path);
  if (number !== here.phone || login !== here.user) return undefined;
  messages = read.messages;
  return draw();
}

const loadSoon = calmly(60, () => attempt(load));

/** Something is new in a conversation. */
export function hear({ phone: number, login, about }) {
  if (number !== here.phone || login !== here.user) return;
  if (about.kind === "typing") {
    if (about.by !== side()) showTyping(about.state);
    return;
  }
  loadSoon();
}

function showTyping(state) {
  clearTimeout(typingTimer);
  const who = isUser() ? `+${here.phone}` : user(here.user)?.user ?? here.user;
  const verb = { composing: "is typing…", recording: "is recording…" }[state];
  typing.textContent = verb ? `${who} ${verb}` : "";
  if (verb) typingTimer = setTimeout(() => showTyping(null), 10_000);
}

/** Reactions, edits and revokes are put where they belong. */
function folded() {
  const shown = [];
  const byId = new Map();
  for (const message of messages) {
    const content = message.content ?? {};
    const target = byId.get(content.to ?? content.edit ?? content.revoke);
    if (content.reaction !== undefined && target) {
      target.reactions.delete(message.by);
      if (content.reaction) target.reactions.set(message.by, content.reaction);
    } else if (content.edit && target?.by === message.by) {
      target.text = content.text;
      target.isEdited = true;
    } else if (content.revoke && target?.by === message.by) {
      target.isRevoked = true;
    } else {
      const bubble = { ...message, text: content.text, reactions: new Map(), isEdited: false, isRevoked: false };
      byId.set(message.id, bubble);
      shown.push(bubble);
    }
  }
  return shown.map((bubble) => ({ ...bubble, quoted: byId.get(bubble.content?.reply_to) ?? null }));
}

function draw() {
  drawHead();
  const shown = folded();
  if (shown.length === 0) {
    list.replaceChildren(h("li", { class: "empty" }, nothing()));
    for (const { element } of drawn.values()) letGo(element);
    drawn = new Map();
    return;
  }
  const wasAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  const next = new Map();
  for (const bubble of shown) {
    const look = JSON.stringify([bubble, [...bubble.reactions], side()]);
    const before = drawn.get(bubble.number);
    next.set(bubble.number, before?.look === look ? before : { look, element: drawBubble(bubble) });
  }
  const elements = [...next.values()].map((it) => it.element);
  if (elements.length !== list.children.length || elements.some((it, index) => it !== list.children[index])) {
    list.replaceChildren(...elements);
    if (wasAtEnd || drawn.size === 0) list.scrollTop = list.scrollHeight;
  }
  for (const [number, { element }] of drawn) if (next.get(number)?.element !== element) letGo(element);
  drawn = next;
  if (shown.at(-1).by !== side()) showTyping(null);
}

function nothing() {
  if (!here.phone || !here.user) {
    return h("p", {}, here.user ? "Choose a phone." : "Choose a phone and a user: then they can write to each other here.");
  }
  const name = user(here.user)?.user ?? here.user;
  return [h("p", {}, `Nothing was said yet between +${here.phone} and ${name}.`),
    h("p", { class: "hint" }, "Write below, as either of them; the switch above chooses whose side you see.")];
}

const unread = () => messages.filter((it) => it.by !== side() && !it.read && it.content);

function markRead() {
  const [path, to] = actor();
  return post(`${path}/mark`, { to, ids: unread().slice(-1000).map((it) => it.id), kind: "read" });
}

function drawHead() {
  const account = user(here.user);
  const name = account?.user ?? here.user ?? "nobody";
  const unseen = unread();
  const as = (value, label) => h("button", { type: "button", "aria-pressed": String(side() === value),
    onclick: () => go({ as: value === "user" ? "user" : null }) }, label);
  const [title, sides, tools, about] = head.children;
  redraw(title, [here.phone, name], () => [here.phone ? `+${here.phone}` : "—", h("span", { class: "and" }, " ⇄ "), name]);
  redraw(sides, [side(), name], () => [as("phone", "Phone’s side"), as("user", `${name}’s side`)]);
  const count = canWrite() ? unseen.length : 0;
  redraw(tools, [count, here.phone, here.user, Boolean(account)], () => [
    count ? h("button", { type: "button", class: "quiet", id: "mark-read", onclick: () => attempt(markRead) }, `Mark ${count} read`) : null,
    phone(here.phone) ? h("button", { type: "button", class: "quiet", onclick: phoneMenu }, "Phone…") : null,
    account ? h("button", { type: "button", class: "quiet", onclick: userMenu }, "User…") : null,
  ]);
  about.textContent = account ? facts(account) : "";
}

const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function facts(account) {
  const few = account.prekeys <= 10 ? " (few)" : "";
  return [
    account.connected ? "connected" : "not connected",
    counted(account.prekeys, "prekey") + few,
    `${account.mailbox} waiting`,
    counted(account.sessions.length, "session"),
    counted(account.deviations, "deviation"),
    counted(account.notes, "note"),
  ].join(" · ");
}

/** ✓ at the server, ✓✓ delivered, and both coloured once read. */
function ticks(message) {
  const [mark, word] = message.played ? ["✓✓", "played"] : message.read ? ["✓✓", "read"]
    : message.delivered ? ["✓✓", "delivered"] : ["✓", "sent"];
  return h("span", { class: `ticks ${word}`, role: "img", "aria-label": word, title: word }, mark);
}

function drawBubble(message) {
  const isOwn = message.by === side();
  const { content } = message;
  const body = message.isRevoked ? h("p", { class: "hint" }, "This message was deleted.")
    : content === null ? h("p", { class: "hint" }, message.by === "user" ? "Not decrypted yet: the phone is away, or asks again."
      : "Written before the sandbox was started.")
      : content.media ? shownFile(content.media)
        : message.text !== undefined && message.text !== null ? h("p", { class: "text" }, message.text)
          : content.reaction !== undefined ? h("p", { class: "hint" }, `reacted ${content.reaction} to a message that is not kept`)
            : content.raw !== undefined ? h("p", { class: "hint" }, `A message of a kind that is not shown: ${content.raw.slice(0, 80)}`)
              : h("p", { class: "hint" }, "A change of a message that is not kept.");
  const notes = [content?.encrypted === false && "not encrypted", message.isEdited && "edited",
    message.retries && `asked for again ${message.retries}×`].filter(Boolean).join(", ");
  const foot = h("div", { class: "stamp" }, notes && h("span", {}, notes),
    h("time", { title: day(message.at) }, time(message.at, false)), isOwn ? ticks(message) : null);
  const more = h("button", { type: "button", class: "quiet more", "aria-label": "What to do with this message",
    onclick: () => messageMenu(message) }, "⋯");
  return h("li", { class: `bubble ${isOwn ? "own" : "theirs"}`, "data-id": message.id },
    content?.reply_to ? h("blockquote", {}, message.quoted?.text ?? message.quoted?.content?.media?.kind ?? "a message") : null,
    body, foot, reactions(message), more);
}

function reactions(message) {
  if (message.reactions.size === 0) return null;
  return h("span", { class: "reactions", "aria-label": "Reactions" }, [...message.reactions.values()].join(" "));
}

function messageMenu(message) {
  const [path, to] = actor();
  const isOwn = message.by === side();
  const send = (said) => attempt(() => post(`${path}/send`, { to, ...said }));
  const react = (emoji) => () => {
    box.close();
    send({ reaction: { id: message.id, own: isOwn, emoji } });
  };
  const item = (label, act) => h("button", { type: "button", onclick: () => {
    box.close();
    act();
  } }, label);
  const text = message.text ?? "";
  const box = menu("A message",
    canWrite() ? h("div", { class: "emojis" }, ["👍", "❤️", "😂", "🙏"].map((it) =>
      h("button", { type: "button", "aria-label": `React ${it}`, onclick: react(it) }, it)),
    h("button", { type: "button", "aria-label": "Take the reaction back", onclick: react("") }, "✕")) : null,
    canWrite() ? item("Reply", () => quote(message)) : null,
    canWrite() && isOwn && message.content?.text !== undefined ? item("Edit", () =>
      ask("Edit", [["text", "New text", text]], (said) => post(`${path}/send`, { to, edit: { id: message.id, text: said.text } }))) : null,
    canWrite() && isOwn ? item("Delete for everybody", () => send({ revoke: message.id })) : null,
    item("Find it on the wire", () => {
      openRow("stanza");
      go({ filter: message.id });
      showPane("wire");
    }));
}

/** A dialog of buttons. */
export function menu(title, ...children) {
  const box = h("dialog", { class: "menu", "aria-label": title, onclose: () => box.remove() }, ...children);
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}

function phoneMenu() {
  const number = here.phone;
  const { manners } = phone(number);
  const path = `phones/${number}`;
  const check = (name, label) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: manners[name],
    onchange: (event) => attempt(() => post(`${path}/manners`, { [name]: event.target.checked })) }), label);
  const act = (label, done) => h("button", { type: "button", onclick: () => {
    box.close();
    attempt(done);
  } }, label);
  const away = async () => {
    const { now } = await get("clock");
    await post(`${path}/manners`, { away_until: manners.away_until > now ? null : now + 30 * 86_400 });
  };
  const box = menu(`+${number}`, h("h2", {}, `+${number}`),
    check("answers", "Answers a text with an echo"), check("lively", "Shows that it reads and types"),
    check("silent", "Sends no delivery receipts"), check("withheld", "The server answers no request about it"),
    act(manners.away_until ? "Come back" : "Go away for 30 days", away),
    act("Ping the user", () => post(`${path}/ping`, { to: here.user })),
    act("Next message cannot be decrypted", () => post(`${path}/spoil`)),
    act("Lose the session", () => post(`${path}/forget`, { to: here.user })),
    act("Reinstall: another identity", () => post(`${path}/reinstall`)),
    act("Block the user", () => post(`${path}/block`, { login: here.user, blocked: true })),
    act("Unblock the user", () => post(`${path}/block`, { login: here.user, blocked: false })),
    act("Remove this phone", () => remove(path)));
}

function userMenu() {
  const login = here.user;
  const account = user(login);
  const act = (label, done) => h("button", { type: "button", onclick: () => {
    box.close();
    attempt(done);
  } }, label);
  const fact = (name, value) => [h("dt", {}, name), h("dd", {}, String(value))];
  const isDemo = known.demo.has(login);
  const box = menu(account.user, h("h2", {}, account.user),
    h("dl", {}, fact("Login", login), fact("Integrator", account.integrator), fact("Connected", account.connected ? `yes (${account.handshake ?? "-"})` : "no"),
      fact("One-time prekeys", account.prekeys), fact("Signed prekey", account.signed_prekey),
      fact("Mailbox", account.mailbox), fact("Messages sent", account.messages),
      fact("Sessions with", account.sessions.map((it) => `+${it}`).join(", ") || "nobody"),
      fact("Blocked", account.blocked.join(", ") || "nobody"), fact("Last seen", day(account.last_seen))),
    act("Ping the client", () => post(`accounts/${login}/ping`)),
    isDemo ? act(account.connected ? "Disconnect her client" : "Connect her client",
      () => post(`demo/users/${login}/${account.connected ? "disconnect" : "connect"}`)) : null,
    act("Cut the connection", () => post(`accounts/${login}/cut`)),
    act("End the stream with error 515", () => post(`accounts/${login}/stream-error`, { code: 515 })),
    act("Un-enlist", () => post(`accounts/${login}/unenlist`)));
}
