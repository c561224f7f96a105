// Three panes side by side, and below 900 pixels one at a time.

import { h } from "./element.js";

const PANES = [["who", "Who"], ["chat", "Chat"], ["wire", "Wire"]];
const WIDTH = "wa-sandbox-wire";
const narrow = matchMedia("(max-width: 899px)");

/** Shows a pane where there is room for one only. */
export function showPane(name) {
  document.getElementById("panes").dataset.pane = name;
  for (const button of document.querySelectorAll("#panenav button")) {
    button.setAttribute("aria-current", String(button.dataset.pane === name));
  }
}

export const isNarrow = () => narrow.matches;

export function startPanes(pane) {
  const nav = document.getElementById("panenav");
  nav.replaceChildren(...PANES.map(([name, label]) =>
    h("button", { type: "button", "data-pane": name, onclick: () => showPane(name) }, label)));
  showPane(pane);
  const divider = document.getElementById("divider");
  const wide = (width) => {
    const kept = Math.round(Math.min(900, Math.max(320, width)));
    document.documentElement.style.setProperty("--wire", `${kept}px`);
    divider.setAttribute("aria-valuenow", String(kept));
    localStorage.setItem(WIDTH, String(kept));
  };
  const now = () => document.getElementById("wire").getBoundingClientRect().width;
  if (localStorage.getItem(WIDTH)) wide(Number(localStorage.getItem(WIDTH)));
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    divider.onpointermove = (move) => wide(innerWidth - move.clientX);
    divider.onpointerup = () => (divider.onpointermove = null);
  });
  divider.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") wide(now() + 20);
    if (key === "ArrowRight") wide(now() - 20);
  });
}
