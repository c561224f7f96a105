// The sandbox, asked over its control interface (/v1), and what it tells as it happens.

import { dialog, h } from "./element.js";

const BASE = "/v1/";
const TOKEN = "wa-sandbox-token";

/** What the sandbox says against a request. */
export class Problem extends Error {}

function headers(more = {}) {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function request(method, path, body, kind) {
  let answer;
  try {
    answer = await fetch(BASE + path, { method, body, headers: headers(kind ? { "Content-Type": kind } : {}) });
  } catch {
    throw new Problem("The sandbox does not answer.");
  }
  if (answer.status === 401) {
    await askForToken();
    return request(method, path, body, kind);
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ title: `HTTP ${answer.status}` }));
  throw new Problem(problem.detail ?? problem.title);
}

export const get = async (path) => (await request("GET", path)).json();
export const text = async (path) => (await request("GET", path)).text();
export const remove = async (path) => (await request("DELETE", path)).json();
export const post = async (path, body = {}) =>
  (await request("POST", path, JSON.stringify(body), "application/json")).json();

/** Hosts a file, encrypted; gives what a message says of it. */
export const host = async (file, kind, place) =>
  (await request("POST", `media/files?class=${kind}&at=${place}`, file, "application/octet-stream")).json();

/** The bytes of a message's file, decrypted. */
export const view = async (opening) =>
  (await request("POST", "media/view", JSON.stringify(opening), "application/json")).arrayBuffer();

let asking = null;

/** Off loopback the sandbox demands its token; it is kept for this tab. */
function askForToken() {
  asking ??= new Promise((resolve) => {
    const submit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(TOKEN, input.value);
      box.close();
    };
    const input = h("input", { type: "password", required: true, autocomplete: "off" });
    const form = h("form", { onsubmit: submit },
      h("label", { class: "field" }, "The sandbox's token (--token, WA_SANDBOX_TOKEN)", input),
      h("div", { class: "actions" }, h("button", { class: "primary" }, "Continue")));
    const box = dialog("A token is needed", form);
    box.addEventListener("close", () => {
      asking = null;
      resolve();
    });
  });
  return asking;
}

/** Tells `on.NAME(data)` of each event, for ever; `on.open` after each beginning, `on.closed` when the stream breaks. */
export async function follow(on) {
  for (;;) {
    try {
      const answer = await request("GET", "events");
      on.open();
      await read(answer.body.getReader(), on);
    } catch {
      // Asked again below.
    }
    on.closed();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function read(reader, on) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const line = (name) => event.split("\n").find((it) => it.startsWith(name))?.slice(name.length);
      const [name, data] = [line("event: "), line("data: ")];
      if (name && data && on[name]) on[name](JSON.parse(data));
    }
  }
}
