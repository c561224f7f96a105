// Where one is: in the address, so that a link can be sent (#/phone/14155551001/user/1-2@interop/stanza/812).

/** What an address may say; a link comes from anybody. */
const FORMS = {
  phone: /^\d{1,20}$/,
  user: /^\d{1,3}-\d{1,20}@interop$/,
  as: /^user$/,
  stanza: /^(all|\d{1,15})$/,
  deviation: /^(all|\d{1,15})$/,
  push: /^(all|\d{1,15})$/,
  http: /^(all|\d{1,15})$/,
  filter: /^.{1,200}$/su,
};
const KEYS = Object.keys(FORMS);
export const TABS = ["stanza", "deviation", "push", "http"];
const listeners = [];

function parse(hash) {
  const parts = hash.replace(/^#\/?/, "").split("/");
  const place = {};
  for (let index = 0; index + 1 < parts.length; index += 2) {
    if (!KEYS.includes(parts[index])) continue;
    try {
      const value = decodeURIComponent(parts[index + 1]);
      if (FORMS[parts[index]].test(value)) place[parts[index]] = value;
    } catch {
      // A part that is not written as an address writes it is left out.
    }
  }
  return place;
}

export let here = parse(location.hash);

/** The tab that is shown, and the row that is open in it, if one is. */
export const tab = () => TABS.find((name) => name in here) ?? "stanza";
export const row = () => (Number(here[tab()]) > 0 ? Number(here[tab()]) : null);

/** Goes somewhere: what is null goes away. */
export function go(changes, isNewStep = true) {
  const next = { ...here, ...changes };
  const path = KEYS.filter((key) => next[key] !== null && next[key] !== undefined && next[key] !== "")
    .map((key) => `${key}/${encodeURIComponent(next[key])}`)
    .join("/");
  const address = `#/${path}`;
  if (address === location.hash) return;
  if (isNewStep) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  move();
}

/** Opens a tab, or a row in it. */
export const openRow = (name, number = "all") =>
  go({ ...Object.fromEntries(TABS.map((it) => [it, null])), [name]: number });

export const onMove = (listener) => listeners.push(listener);

function move() {
  const before = here;
  here = parse(location.hash);
  listeners.forEach((listener) => listener(before));
}

addEventListener("popstate", move);
