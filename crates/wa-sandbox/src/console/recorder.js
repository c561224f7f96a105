// A voice note from the microphone, in a browser that has one. Ogg, as phones send it, where the browser writes it.

import { h } from "./element.js";

// Milliseconds: of less a browser writes nothing that can be played.
const SHORTEST = 700;

const TYPES = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];

/** Whether this browser can record at all; it asks for the microphone only when it does. */
export const canRecord = () => Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);

/** Records until somebody says that it is enough: the bytes, their type and how long it is; nothing if it is given up. */
export async function record(menu) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch((problem) => {
    throw new Error(`the microphone cannot be used: ${problem.message}`);
  });
  try {
    const recorder = new MediaRecorder(stream, { mimeType: TYPES.find((type) => MediaRecorder.isTypeSupported(type)) });
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const ended = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    const began = performance.now();
    const isKept = await answered(menu);
    const missing = SHORTEST - (performance.now() - began);
    if (isKept && missing > 0) await new Promise((resolve) => setTimeout(resolve, missing));
    const seconds = Math.max(1, Math.round((performance.now() - began) / 1000));
    recorder.stop();
    await ended;
    const [mime] = recorder.mimeType.split(";");
    return isKept ? { bytes: await new Blob(pieces).arrayBuffer(), mime, seconds } : null;
  } finally {
    stream.getTracks().forEach((track) => track.stop());
  }
}

/** Whether the recording is to be sent. */
function answered(menu) {
  return new Promise((resolve) => {
    const end = (isKept) => () => {
      resolve(isKept);
      box.close();
    };
    const box = menu("Recording a voice note", h("p", { class: "recording", role: "status" }, "Recording…"),
      h("button", { type: "button", id: "send-recording", class: "primary", onclick: end(true) }, "Send it"),
      h("button", { type: "button", onclick: end(false) }, "Give it up"));
    box.addEventListener("close", () => resolve(false));
  });
}
