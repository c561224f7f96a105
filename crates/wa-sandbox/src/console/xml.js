// A stanza as coloured, indented XML: elements around texts, made from the text that the server wrote.

import { h } from "./element.js";

/** Characters of a value that are shown at once. */
const WIDE = 96;

/** The parts of XML: `<tag`, attributes, `>`, texts. What is malformed ends as a text. */
function* parts(xml) {
  const pattern = /(<\/?)([^\s<>/="']+)|(\s+)([^\s<>/="']+)(=)("[^"]*"|'[^']*')|(\s*\/?>)|([^<>]+)/gy;
  let at = 0;
  let isInTag = false;
  for (let match = pattern.exec(xml); match; match = pattern.exec(xml)) {
    at = pattern.lastIndex;
    const [whole, open, tag, , name, , value, close] = match;
    if (open) {
      isInTag = true;
      yield { kind: open === "</" ? "end" : "open", text: tag };
    } else if (name && isInTag) yield { kind: "attribute", name, value };
    else if (close) {
      isInTag = false;
      yield { kind: "close", isEmpty: close.trim() === "/>" };
    } else yield { kind: "text", text: whole };
  }
  if (at < xml.length) yield { kind: "text", text: xml.slice(at) };
}

const span = (name, text) => h("span", { class: `x-${name}` }, text);

/** A value; of a long one the beginning, until one asks for the rest. */
function long(name, text) {
  if (text.length <= WIDE) return span(name, text);
  const rest = h("button", { type: "button", class: "link", onclick: () => rest.replaceWith(span(name, text.slice(WIDE / 2))) },
    `… ${text.length - WIDE / 2} more`);
  return h("span", {}, span(name, text.slice(0, WIDE / 2)), rest);
}

/** The stanza in a `<pre>`. */
export function pretty(xml) {
  const out = h("pre", { class: "xml", tabindex: "0", "aria-label": "The stanza as XML" });
  let depth = 0;
  let isFresh = true;
  let hasText = false;
  const line = () => {
    if (!isFresh) out.append(`\n${"  ".repeat(depth)}`);
    isFresh = false;
  };
  for (const part of parts(xml)) {
    if (part.kind === "open") {
      line();
      out.append(span("mark", "<"), span("tag", part.text));
      hasText = false;
    } else if (part.kind === "attribute") {
      out.append(" ", span("name", part.name), span("mark", "="), long("value", part.value));
    } else if (part.kind === "close") {
      out.append(span("mark", part.isEmpty ? "/>" : ">"));
      if (!part.isEmpty && !out.dataset.ends) depth += 1;
      delete out.dataset.ends;
    } else if (part.kind === "end") {
      depth -= 1;
      if (!hasText) line();
      out.append(span("mark", "</"), span("tag", part.text));
      out.dataset.ends = "1";
      hasText = false;
    } else {
      out.append(long("text", part.text));
      hasText = true;
    }
  }
  return out;
}

/** A stanza with the part at fault between `⟦` and `⟧`, marked. */
export function marked(text) {
  const [start, end] = [text.indexOf("⟦"), text.lastIndexOf("⟧")];
  if (start < 0 || end < start) return h("pre", { class: "xml", tabindex: "0", "aria-label": "The stanza" }, text);
  return h("pre", { class: "xml", tabindex: "0", "aria-label": "The stanza, the part at fault marked" },
    text.slice(0, start), h("mark", {}, text.slice(start + 1, end)), text.slice(end + 1));
}

/** Bytes as hex: their place, sixteen of them, and what is printable. */
export function dump(hex, total) {
  const lines = [];
  const most = Math.min(hex.length, 2 * 4096);
  for (let at = 0; at < most; at += 32) {
    const pairs = hex.slice(at, at + 32).match(/../g) ?? [];
    const shown = pairs.map((pair) => {
      const byte = parseInt(pair, 16);
      return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·";
    });
    lines.push(`${(at / 2).toString(16).padStart(4, "0")}  ${pairs.join(" ").padEnd(47)}  ${shown.join("")}`);
  }
  if (total * 2 > most) lines.push(`… ${total} bytes in all`);
  return h("pre", { class: "hex", tabindex: "0", "aria-label": "The bytes" }, lines.join("\n"));
}

/** A protobuf as a tree. */
export function tree(fields) {
  return h("ul", { class: "tree" }, fields.map((field) => {
    const name = [h("span", { class: "x-name" }, field.name ?? "unknown"), field.field ? h("span", { class: "hint" }, ` ${field.field}`) : null,
      h("span", { class: "hint" }, ` ${field.type}`)];
    if (field.inside) return h("li", {}, h("details", { open: true }, h("summary", {}, name), tree(field.inside)));
    return h("li", {}, name, " ", h("code", { class: "x-value" }, field.type === "string" ? `“${field.value}”` : String(field.value ?? "")));
  }));
}
