// A headless Chromium with a profile of its own, and what a person does with a page: look, click, type.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

/** How long something may take to appear, in milliseconds. */
const PATIENCE = 15_000;

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-lcd-text",
  // A microphone that beeps, and nobody who is asked for it.
  "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

export class Failure extends Error {}

/** Starts a browser, gives it to `use`, and ends it whatever happens. */
export async function withBrowser(executablePath, use) {
  const userDataDir = mkdtempSync(join(tmpdir(), "wa-console-"));
  const browser = await puppeteer.launch({ executablePath, headless: true, userDataDir, args: FLAGS });
  try {
    return await use(browser);
  } finally {
    await browser.close();
    rmSync(userDataDir, { recursive: true, force: true });
  }
}

/** A page; whatever it complains of is a failure at the end. */
export async function openPage(browser, url, { width = 1440, height = 900 } = {}) {
  const page = await browser.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(`error: ${error.message}`));
  page.on("console", (said) => ["error", "warning"].includes(said.type()) && page.complaints.push(`console: ${said.text()}`));
  page.on("dialog", (dialog) => {
    page.complaints.push(`a script ran: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.setDefaultTimeout(PATIENCE);
  await page.setViewport({ width, height });
  await page.goto(url);
  await page.waitForSelector("html[data-ready]");
  return page;
}

/** Waits until something is so in the page. */
export async function eventually(page, what, isSo, ...args) {
  try {
    return await page.waitForFunction(isSo, { timeout: PATIENCE }, ...args);
  } catch {
    throw new Failure(`did not become so: ${what}`);
  }
}

/** Waits for a text somewhere below a selector. */
export const sees = (page, selector, text) =>
  eventually(page, `${selector} shows ${JSON.stringify(text)}`, (selector, text) =>
    [...document.querySelectorAll(selector)].some((it) => it.textContent.includes(text)), selector, text);

/** Clicks the first element of a selector, or the first one with this text. */
export async function click(page, selector, text = "") {
  for (let turn = 0; turn < 10; turn += 1) {
    await sees(page, selector, text);
    // What is drawn anew at this moment is clicked again, as a person would.
    const isClicked = await clicked(page, selector, text).catch((error) => {
      if (!/detached/.test(error.message)) throw error;
      return false;
    });
    if (isClicked) return;
  }
  throw new Failure(`${selector} ${text} cannot be clicked`);
}

async function clicked(page, selector, text) {
  for (const element of await page.$$(selector)) {
    if (!(await element.evaluate((it, text) => it.textContent.includes(text), text))) continue;
    await element.evaluate((it) => it.scrollIntoView({ block: "center" }));
    await element.click();
    return true;
  }
  return false;
}

export function ensure(what, isSo) {
  if (!isSo) throw new Failure(what);
}
