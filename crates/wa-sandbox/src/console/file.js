// Files in messages: fetched decrypted, and shown only as what their first bytes say they are.

import { h } from "./element.js";
import { view } from "./server.js";

/** What is shown in the page, by its first bytes; never what a message calls it. SVG and HTML are none of these. */
const KINDS = [
  ["image/jpeg", "image", [0xff, 0xd8, 0xff]],
  ["image/png", "image", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/gif", "image", [0x47, 0x49, 0x46, 0x38]],
  ["audio/ogg", "audio", [0x4f, 0x67, 0x67, 0x53]],
  ["audio/mpeg", "audio", [0x49, 0x44, 0x33]],
  ["video/webm", "video", [0x1a, 0x45, 0xdf, 0xa3]],
];

const starts = (bytes, magic, at = 0) => magic.every((byte, index) => bytes[at + index] === byte);

/** Its type and how it is shown, or null for what is only offered to be saved. */
export function sniff(bytes) {
  for (const [type, shown, magic] of KINDS) if (starts(bytes, magic)) return [type, shown];
  if (starts(bytes, [0x52, 0x49, 0x46, 0x46]) && starts(bytes, [0x57, 0x45, 0x42, 0x50], 8)) return ["image/webp", "image"];
  if (starts(bytes, [0x66, 0x74, 0x79, 0x70], 4)) return ["video/mp4", "video"];
  return null;
}

/** A recording may be in a box that films come in as well. */
const heard = (found, kind) => (found?.[1] === "video" && ["voice", "audio"].includes(kind) ? [found[0].replace("video", "audio"), "audio"] : found);

const CLASSES = { image: "image", sticker: "image", video: "video", voice: "audio", audio: "audio" };
export const classOf = (kind) => CLASSES[kind] ?? "document";

const size = (length) => (length < 1024 ? `${length} B` : length < 1 << 20 ? `${(length / 1024).toFixed(1)} KiB`
  : `${(length / (1 << 20)).toFixed(1)} MiB`);

/** The longest file that is fetched without being asked for. */
const MAX_UNASKED = 8 << 20;

/** A file of a message: pictures and recordings at once, the rest to be saved. */
export function shownFile(media) {
  const { kind, length, about = {} } = media;
  const name = about.file_name ?? (kind === "voice" ? "Voice note" : kind);
  const label = h("figcaption", {}, `${name} · ${size(length ?? 0)}`);
  const figure = h("figure", { class: `file ${kind}` }, label);
  const load = () => fill(figure, label, media, name).catch((problem) =>
    label.replaceChildren(`${name} cannot be opened: ${problem.message}`));
  if (length <= MAX_UNASKED) load();
  else label.append(" · ", h("button", { type: "button", class: "link", onclick: (event) => {
    event.target.remove();
    load();
  } }, "Load"));
  return figure;
}

/** A file is let go with the element that showed it. */
export function letGo(element) {
  for (const link of element.querySelectorAll("a[href^='blob:']")) URL.revokeObjectURL(link.href);
}

async function fill(figure, label, media, name) {
  const { direct_path, key, sha256, enc_sha256, length, kind, about = {} } = media;
  const opening = { direct_path, key, sha256, enc_sha256, length, class: classOf(kind) };
  const bytes = new Uint8Array(await view(opening));
  const found = heard(sniff(bytes), kind);
  const [type, shown] = found ?? ["application/octet-stream", "saved"];
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  if (shown === "image") {
    const { width, height } = about;
    figure.prepend(h("img", { src: url, alt: about.caption || "Picture", width: width || null, height: height || null }));
  } else if (shown !== "saved") {
    const duration = about.seconds ? `, ${about.seconds} s` : "";
    figure.prepend(h(shown, { src: url, controls: true, preload: "metadata", "aria-label": `${name}${duration}` }));
  }
  const save = h("a", { href: url, download: shown === "saved" ? "file.bin" : `file.${type.split("/")[1]}` }, "Save");
  label.append(" · ", save);
  if (about.caption) figure.append(h("p", { class: "caption" }, about.caption));
}
