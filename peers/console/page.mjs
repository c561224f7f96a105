// The page that a run of the suite writes, looked at in a headless Chromium, and what did not hold of it.
//
// node page.mjs --browser CHROMIUM --page FILE --failed CHECK --pictures DIRECTORY

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { ensure, Failure, withBrowser } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const { values: given } = parseArgs({ options: { browser: { type: "string" }, page: { type: "string" }, failed: { type: "string" },
  pictures: { type: "string" } } });
const url = pathToFileURL(resolve(given.page)).href;

/** The page, in a window of this width; whatever it asks for and complains of is written down. */
async function open(browser, width, theme) {
  const page = await browser.newPage();
  page.wrong = [];
  page.on("request", (request) => request.url() === url || page.wrong.push(`it asks for ${request.url()}`));
  page.on("pageerror", (error) => page.wrong.push(`error: ${error.message}`));
  page.on("console", (said) => page.wrong.push(`console: ${said.text()}`));
  page.on("dialog", (dialog) => dialog.dismiss().then(() => page.wrong.push("a script ran")));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  await page.goto(url);
  return page;
}

async function isAccessible(page, where) {
  const found = await page.evaluate(`${AXE}; axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
    .map((it) => it.id + ": " + it.nodes.slice(0, 3).map((node) => node.target + " " + node.failureSummary).join(" | ")))`);
  ensure(`axe-core, ${where}: ${found.join("\n")}`, found.length === 0);
}

/** What a partner looks for: the milestones, what failed, the part at fault, and how to mend it. */
async function reads(page) {
  const headings = await page.$$eval("h2", (it) => it.map((heading) => heading.textContent));
  ensure(`headings: ${headings.join(", ")}`, headings[0] === "What failed, and how to mend it"
    && headings.slice(1).every((it) => /^Milestone [1-6] \d+ passed, \d+ failed/.test(it)) && headings.length > 2);
  const rows = await page.$$eval("td:first-child", (it) => it.map((cell) => cell.textContent));
  ensure(`rows: ${rows}`, rows.includes("pass") && rows.includes("fail"));
  const section = `section[id="${given.failed}"]`;
  const shown = await page.$eval(section, (it) => ({
    mend: it.querySelector(".mend").textContent,
    marked: it.querySelector("pre:not(.hex) mark").textContent,
    bytes: [...it.querySelectorAll("pre.hex mark")].map((mark) => Number.parseInt(mark.textContent, 16)),
    label: it.querySelector("li .label").textContent,
  }));
  ensure(`the part at fault: ${JSON.stringify(shown)}`, shown.marked === 'colour="blue"'
    && String.fromCharCode(...shown.bytes).includes("colour") && shown.mend.includes("leave colour out") && shown.label.length > 1);
  // The exchange opens without a script.
  const stanza = `${section} details:last-of-type`;
  await page.click(`${stanza} > summary`);
  ensure("the stanzas of the exchange are shown", await page.$eval(stanza, (it) => it.open && it.checkVisibility()
    && /<ack [^>]*colour="blue"/.test(it.textContent)));
  ensure("there is no script in it", (await page.$$("script, iframe, object, link")).length === 0);
}

async function look(browser) {
  for (const theme of ["light", "dark"]) {
    for (const width of [1440, 360]) {
      const page = await open(browser, width, theme);
      await page.screenshot({ path: join(given.pictures, `${width}-${theme}.png`) });
      await reads(page);
      await isAccessible(page, `${width} pixels, ${theme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      ensure(`${width} pixels: ${wide} wider than the window`, wide <= 0);
      ensure(`${width} pixels, ${theme}: ${page.wrong.slice(0, 5).join("; ")}`, page.wrong.length === 0);
      await page.close();
      console.log(`ok  ${width} pixels, ${theme}`);
    }
  }
}

try {
  await withBrowser(given.browser, look);
} catch (failure) {
  console.error(failure instanceof Failure ? `not so: ${failure.message}` : failure);
  process.exitCode = 1;
}
