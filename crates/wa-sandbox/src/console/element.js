// Elements, made without markup: a text is always a text node, so that nothing from the wire becomes anything else.

/** An element with attributes, listeners (`onclick`) and children: elements and texts; what is null is left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "checked") element.checked = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Puts these children into an element, in place of what it had; what is null is left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
}

const looks = new WeakMap();

/** Draws an element anew only if what it shows has changed: what is being clicked stays where it is. */
export function redraw(element, shown, make) {
  const look = JSON.stringify(shown);
  if (looks.get(element) === look) return;
  looks.set(element, look);
  const focus = element.contains(document.activeElement) ? document.activeElement.id : "";
  fill(element, make());
  if (focus) document.getElementById(focus)?.focus();
}

/** A text that can be copied with one click. */
export function copyable(text, label = "Copy") {
  const button = h("button", { type: "button", class: "copy", onclick: () => copy(text, button) }, label);
  return h("div", { class: "copyable" }, h("code", { tabindex: "0" }, text), button);
}

export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    // Without a clipboard, as over plain HTTP from another machine, the text is chosen instead.
    const range = document.createRange();
    range.selectNodeContents(button.previousSibling ?? button);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    toast("Press Ctrl+C to copy");
  }
}

/** A few words at the edge of the page, for a while; also read aloud. */
export function toast(text, isFailure = false) {
  const toasts = document.getElementById("toasts");
  const note = h("div", { class: isFailure ? "toast failure" : "toast" }, text);
  toasts.append(note);
  setTimeout(() => note.remove(), isFailure ? 8000 : 2500);
}

/** Does something that may be refused, and says so. */
export async function attempt(act) {
  try {
    return await act();
  } catch (problem) {
    toast(problem.message, true);
    return undefined;
  }
}

/** A dialog with a title; it is gone once it is closed. */
export function dialog(title, ...children) {
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => box.close() }, "✕");
  const head = h("header", {}, h("h2", { id: "dialog-title" }, title), close);
  const box = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => box.remove() }, head, ...children);
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}

/** Asks for a few words: `fields` are name, label and an example. */
export function ask(title, fields, done, note = null) {
  const inputs = fields.map(([name, label, example]) =>
    h("label", { class: "field" }, label, h("input", { name, required: true, autocomplete: "off", value: example })));
  const submit = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    if ((await attempt(() => done(values).then(() => true)))) box.close();
  };
  const form = h("form", { onsubmit: submit }, inputs, note && h("p", { class: "hint" }, note),
    h("div", { class: "actions" }, h("button", { class: "primary" }, title)));
  const box = dialog(title, form);
  form.querySelector("input").select();
}

const two = (number) => String(number).padStart(2, "0");

/** A time of the sandbox's clock as hours, minutes, seconds. */
export function time(unix, withSeconds = true) {
  const at = new Date(unix * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}${withSeconds ? `:${two(at.getSeconds())}` : ""}`;
}

/** The same with its day. */
export function day(unix) {
  return new Date(unix * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Calls at most once in so many milliseconds, the last time included. */
export function calmly(milliseconds, act) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      act();
    }, milliseconds);
  };
}
