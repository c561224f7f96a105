// Begins: the bar, the panes, what is told as it happens, the keyboard.

import { attempt, calmly, toast } from "./element.js";
import { follow } from "./server.js";
import { go, openRow, row, tab, TABS } from "./place.js";
import { isNarrow, showPane, startPanes } from "./panes.js";
import { addUser, count, refreshSoon, startWho } from "./who.js";
import { hear as hearChat, load as loadChat, startChat } from "./chat.js";
import { focusComposer } from "./composer.js";
import { hear, hearStanza, log, startWire } from "./wire.js";
import { countFaults, drawAbout, help, readClock, readFaults, setLive, startBar } from "./bar.js";

const pane = (name) => document.getElementById(name);
let isFirst = true;

const events = {
  open() {
    setLive(true);
    // What happened while nobody listened is read.
    if (!isFirst) everything();
    isFirst = false;
  },
  closed: () => setLive(false),
  missed({ count }) {
    toast(`${count} events came too fast; everything is read again`);
    everything();
  },
  stanza(item) {
    hearStanza(item);
    refreshSoon();
    countFaults();
  },
  deviation: (item) => hear("deviation", item),
  push: (item) => hear("push", item),
  http: (item) => hear("http", item),
  chat(news) {
    if (news.about.kind === "message") count(news.phone, news.login);
    hearChat(news);
  },
  changed() {
    refreshSoon();
    readSoon();
  },
};

function everything() {
  refreshSoon();
  attempt(loadChat);
  attempt(() => log().load());
}

const readSoon = calmly(500, () => {
  attempt(readFaults);
  attempt(readClock);
});

let prefix = "";

/** Keys that mean something wherever one is, but not while one writes. */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isWriting = event.target.matches("input, textarea, select");
  if (event.key === "Escape") {
    if (isWriting) event.target.blur();
    else if (row() !== null && !document.querySelector("dialog")) openRow(tab());
    return;
  }
  if (isWriting || document.querySelector("dialog")) return;
  // What has the focus is pressed with Enter.
  if (event.key === "Enter" && event.target !== document.body) return;
  const act = keys()[prefix + event.key];
  prefix = event.key === "g" && !prefix ? "g" : "";
  if (!act) return;
  event.preventDefault();
  act();
}

const keys = () => ({
  "/": () => focusIn("wire", "filter"),
  j: () => log().move(1),
  k: () => log().move(-1),
  Enter: () => log().chosen && log().opened(log().chosen),
  c() {
    showPane("chat");
    focusComposer();
  },
  p: () => pane("pause").click(),
  gp: () => focusFirst("who", "#phones button"),
  gu: () => focusFirst("who", "#users button, #enlist-first"),
  gw() {
    showPane("wire");
    log().list.focus();
  },
  n: addUser,
  "?": help,
  ...Object.fromEntries(TABS.map((name, index) => [String(index + 1), () => openRow(name)])),
});

function focusIn(name, id) {
  showPane(name);
  if (tab() !== "stanza") openRow("stanza");
  pane(id).focus();
}

function focusFirst(name, selector) {
  showPane(name);
  document.querySelector(selector)?.focus();
}

async function start() {
  startPanes(isNarrow() && !location.hash ? "who" : "chat");
  await startBar(pane("bar"));
  await startWho(pane("who"));
  drawAbout();
  startChat(pane("chat"));
  startWire(pane("wire"));
  document.addEventListener("keydown", pressed);
  follow(events);
  document.documentElement.dataset.ready = "yes";
  go({}, false);
}

attempt(start);
