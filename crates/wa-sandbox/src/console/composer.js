// What one writes with: text, a picture, a voice note, a file.

import { attempt, copyable, h } from "./element.js";
import { host, post } from "./server.js";
import { actor, canWrite, menu, side } from "./chat.js";
import { here } from "./place.js";
import { known, user } from "./who.js";
import { sniff } from "./file.js";
import { canRecord, record } from "./recorder.js";

/** How often it is said that somebody still types, in milliseconds. */
const STILL_TYPING = 3000;

let quoted = null;
let quoteBox = null;
let field = null;
let lastTyping = 0;
let pause = null;

/** The next text replies to this message. */
export function quote(message) {
  quoted = message;
  if (!quoteBox) return;
  quoteBox.hidden = !message;
  quoteBox.replaceChildren(...(message ? [h("span", {}, `Reply to: ${message.text ?? message.content?.media?.kind ?? "a message"}`),
    h("button", { type: "button", class: "quiet", "aria-label": "Do not reply", onclick: () => quote(null) }, "✕")] : []));
  if (message) field?.focus();
}

export const focusComposer = () => field?.focus();

/** The elements below a conversation. */
export function composer() {
  if (!here.phone || !here.user) return [];
  if (!canWrite()) {
    const name = user(here.user)?.user ?? here.user;
    return [h("div", { class: "empty small" }, h("p", {}, `${name} has a client of her own: write there. From the phone’s side one can write here, or:`),
      copyable(`curl -s ${known.about?.addresses.control}phones/${here.phone}/send -d '${JSON.stringify({ to: here.user, text: "Hello" })}'`))];
  }
  quoteBox = h("div", { class: "quoted", hidden: true });
  field = h("textarea", { id: "composer", rows: "1", "aria-label": "Message", placeholder: side() === "user"
    ? `Write as ${user(here.user)?.user ?? "the user"}` : `Write as +${here.phone}`, onkeydown: keys, oninput: typed });
  const picker = h("input", { type: "file", id: "file", class: "hidden", tabindex: "-1", "aria-label": "A file to send",
    onchange: () => attempt(() => sendFile(picker)) });
  const tool = (label, sign, act) => h("button", { type: "button", class: "attach", id: "attach", "aria-label": label, title: label, onclick: act }, sign);
  return [quoteBox, h("form", { class: "composer", onsubmit: submit },
    tool("Send a picture, a voice note or a file", "+", () => attachMenu(picker)), picker, field, h("button", { class: "primary" }, "Send"))];
}

function attachMenu(picker) {
  const item = (id, label, act) => h("button", { type: "button", id, onclick: () => {
    box.close();
    act();
  } }, label);
  const box = menu("Send", item("send-picture", "A picture that is made here", () => attempt(() => send({ picture: { width: 320, height: 240 } }))),
    item("send-voice", "A voice note of 3 seconds that is made here", () => attempt(() => send({ voice: { seconds: 3 } }))),
    canRecord() ? item("record", "A voice note of yours…", () => attempt(sendRecording)) : null,
    item("send-file", "A file of yours…", () => picker.click()));
}

function keys(event) {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
}

async function submit(event) {
  event.preventDefault();
  const text = field.value;
  if (!text.trim()) return;
  const said = quoted ? { reply: { id: quoted.id, author: author(quoted), text } } : { text };
  if ((await attempt(() => send(said).then(() => true))) === undefined) return;
  field.value = "";
  quote(null);
  clearTimeout(pause);
  lastTyping = 0;
}

const author = (message) => (message.by === "phone" ? `${here.phone}@s.whatsapp.net` : here.user);

function send(said) {
  const [path, to] = actor();
  return post(`${path}/send`, { to, ...said });
}

/** Says that somebody types, and when she has stopped; to those who are not there it is not said. */
function typed() {
  const [path, to] = actor();
  const say = (state) => post(`${path}/typing`, { to, state }).catch(() => null);
  if (Date.now() - lastTyping > STILL_TYPING) {
    lastTyping = Date.now();
    say("composing");
  }
  clearTimeout(pause);
  pause = setTimeout(() => {
    lastTyping = 0;
    say("paused");
  }, STILL_TYPING);
}

async function sendRecording() {
  const recorded = await record(menu);
  if (!recorded) return;
  const { bytes, mime, seconds } = recorded;
  const facts = await host(bytes, "audio", place());
  await send({ media: { kind: "voice", mime, seconds, ...facts } });
}

/** Where files of the side that one writes as are hosted. */
const place = () => (side() === "user" ? "integrator" : "whatsapp");

async function sendFile(picker) {
  const [file] = picker.files;
  picker.value = "";
  if (!file) return;
  const bytes = await file.arrayBuffer();
  const [mime, shown] = sniff(new Uint8Array(bytes)) ?? [file.type || "application/octet-stream", "document"];
  const facts = await host(bytes, shown, place());
  const media = { kind: shown, mime, ...facts };
  if (shown === "document") media.file_name = file.name;
  await send({ media });
}
