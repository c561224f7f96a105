// Walks through the console as a person would, in a headless Chromium, and says what did not hold.
//
// node walk.mjs --browser CHROMIUM --sandbox PROGRAM --wa PROGRAM --pictures DIRECTORY

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { click, ensure, eventually, Failure, openPage, sees, withBrowser } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const MARKUP = "<img src=x onerror=alert(1)> & <script>alert(2)</script>";
const ECHOING = "14155551001";

const { values: given } = parseArgs({ options: { browser: { type: "string" }, sandbox: { type: "string" }, wa: { type: "string" },
  pictures: { type: "string" } } });
const scratch = mkdtempSync(join(tmpdir(), "wa-console-walk-"));
const running = [];
/** What the programs say to people; shown when something fails. */
const log = [];

/** Starts a program whose output is read line by line. */
function start(program, args) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  running.push(child);
  child.stderr.on("data", (said) => log.push(String(said)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, line: async () => (await lines.next()).value };
}

async function sandbox(...args) {
  const { line } = start(given.sandbox, ["--port", "0", ...args]);
  return JSON.parse(await line());
}

async function control({ control: base }, method, path, body) {
  const answer = await fetch(base + path, { method, body: body && JSON.stringify(body) });
  const said = await answer.text();
  ensure(`${method} ${path}: ${said}`, answer.ok);
  return JSON.parse(said);
}

/** axe-core finds nothing, in both themes. */
async function isAccessible(page, where) {
  for (const theme of ["light", "dark"]) {
    await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
    await page.evaluate(AXE);
    const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
      .map((it) => `${it.id}: ${it.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`));
    ensure(`axe-core, ${where}, ${theme}: ${found.join("\n")}`, found.length === 0);
  }
}

async function write(page, text) {
  await page.click("#composer");
  await page.type("#composer", text);
  await page.keyboard.press("Enter");
}

async function chats(page) {
  await sees(page, "#users, .empty", "Nobody has enlisted yet");
  await isAccessible(page, "nothing there yet");
  await click(page, "#enlist-first");
  await sees(page, "#users .name", "alice");
  await eventually(page, "alice is connected", () => document.querySelector("#users .dot.on"));
  await write(page, "Hello from the phone");
  await sees(page, ".bubble.own .text", "Hello from the phone");
  await eventually(page, "the text is delivered", () => document.querySelector(".bubble.own .ticks.delivered"));
  await click(page, "#attach");
  await click(page, "#send-picture");
  await eventually(page, "the picture is shown", () => document.querySelector(".bubble.own img")?.naturalWidth === 320);
  await click(page, ".segments button", "alice");
  await write(page, "Hi, it is alice");
  await sees(page, ".bubble.theirs .text", "echo: Hi, it is alice");
  await eventually(page, "alice's text is delivered", () => document.querySelector(".bubble.own .ticks.delivered"));
  await click(page, "#mark-read");
  await click(page, ".segments button", "Phone");
  await eventually(page, "alice has read it", () => document.querySelector(".bubble.own .ticks.read"));
}

async function files(page) {
  const picture = join(scratch, "own.gif");
  writeFileSync(picture, Buffer.from("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=", "base64"));
  const hostile = join(scratch, "hostile.svg");
  writeFileSync(hostile, "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(3)'><script>alert(4)</script></svg>");
  const field = await page.$("#file");
  await field.uploadFile(picture);
  await eventually(page, "the picture of one's own is shown", () =>
    [...document.querySelectorAll(".bubble.own img")].some((it) => it.naturalWidth === 1));
  await field.uploadFile(hostile);
  await sees(page, ".bubble.own .document figcaption", "hostile.svg");
  await page.waitForSelector(".document a");
  ensure("an SVG is only saved, under a name of no type", await page.$eval(".document", (it) =>
    it.querySelector("a").download === "file.bin" && !it.querySelector("img, video, audio, object, iframe")));
}

async function recording(page) {
  const notes = () => page.$$eval(".bubble.own audio", (it) => it.length);
  const before = await notes();
  await click(page, "#attach");
  await click(page, "#record");
  await sees(page, ".recording", "Recording");
  await page.keyboard.press("Escape");
  await eventually(page, "what was given up is gone", () => !document.querySelector(".recording"));
  await click(page, "#attach");
  await click(page, "#record");
  await sees(page, ".recording", "Recording");
  await click(page, "#send-recording");
  await eventually(page, "the voice note can be played", (before) => {
    const notes = [...document.querySelectorAll(".bubble.own audio")];
    return notes.length === before + 1 && notes.at(-1).readyState >= 1 && !notes.at(-1).error;
  }, before);
  // Where there is none, nothing is offered.
  await page.evaluate(() => Object.defineProperty(window, "MediaRecorder", { value: undefined, configurable: true }));
  await click(page, "#attach");
  await page.waitForSelector("#send-voice");
  ensure("recording is offered without a recorder", !(await page.$("#record")));
  await page.keyboard.press("Escape");
}

async function staysText(page) {
  await write(page, MARKUP);
  await sees(page, ".bubble.own .text", MARKUP);
  ensure("markup became an element", (await page.$$(".bubble script, .bubble img[src='x'], .row img")).length === 0);
}

async function wire(page, addresses) {
  await page.select("#filter-tag", "message");
  await page.keyboard.press("Escape");
  await eventually(page, "only messages are shown", () => {
    const tags = [...document.querySelectorAll("#wirebody .row .tag")];
    return tags.length > 2 && tags.every((it) => it.textContent.startsWith("message"));
  });
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("/");
  await page.type("#filter", "pkmsg");
  await eventually(page, "the text filters", () => {
    const lines = [...document.querySelectorAll("#wirebody .row .line")];
    return lines.length > 0 && lines.every((it) => it.textContent.includes("pkmsg"));
  });
  await click(page, "#wirebody .row");
  await sees(page, ".detail .tree", "conversation");
  await sees(page, ".detail .tree", "Hello from the phone");
  ensure("the row is in the address", page.url().includes("/stanza/") && page.url().includes("/filter/pkmsg"));
  const link = page.url();
  await page.goto("about:blank");
  await page.goto(link);
  await sees(page, ".detail .tree", "Hello from the phone");
  await isAccessible(page, "a stanza open");
  await page.click("#filter", { count: 3 });
  await page.keyboard.press("Backspace");
  const { stanzas } = await control(addresses, "GET", "stanzas?tag=message&by=server&limit=1");
  ensure("the stanza's bytes are there", (await control(addresses, "GET", `stanzas/${stanzas[0].number}`)).hex.length > 100);
}

async function deviates(page, addresses) {
  const body = new URLSearchParams({ integrator_id: "1", user_identifier: MARKUP, token: "none" });
  await fetch(addresses.enlist, { method: "POST", body });
  const { accounts: [{ login }] } = await control(addresses, "GET", "accounts");
  await control(addresses, "POST", `demo/users/${login}/mark`, { to: ECHOING, ids: ["A"], kind: "seen" });
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("2");
  await sees(page, "#wirebody .row .party", MARKUP);
  await sees(page, "#wirebody .row .tag", "receipt");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  for (const lesson of ["Rule", "Written in", "Mend it", "overview"]) await sees(page, ".detail", lesson);
  await sees(page, ".detail mark", 'type="seen"');
  await isAccessible(page, "a deviation open");
  await click(page, ".detail button", "Show stanza");
  await sees(page, ".detail .xml", "seen");
}

async function faults(page, addresses) {
  await click(page, "#faults");
  await page.waitForSelector("dialog [name=drop]");
  // The word that somebody types, and the message.
  await page.type("dialog [name=drop]", "2");
  await isAccessible(page, "the faults");
  await click(page, "dialog .primary");
  await sees(page, "#faults .badge", "1");
  ensure("the fault is set", (await control(addresses, "GET", "faults")).drop === 2);
  await write(page, "This one is lost");
  await eventually(page, "the fault has happened", () => !document.querySelector("#faults .badge"), null);
  await sees(page, ".bubble.own:last-child .text", "This one is lost");
  ensure("what was lost is not delivered", !(await page.$(".bubble.own:last-child .ticks.delivered")));
}

async function clientOfOurs(page, addresses) {
  const { child, line } = start(given.wa, ["chat", ECHOING, "--user", "carol", "--sandbox", addresses.media, "--store",
    join(scratch, "carol.db"), "--key-file", join(scratch, "carol.key")]);
  await click(page, "#users .who", "carol");
  await eventually(page, "carol is connected", () => document.querySelector(".chathead .about")?.textContent.includes("connected ·"));
  await click(page, ".segments button", "Phone");
  await write(page, "Written in the console");
  for (let said = await line(); !said?.includes("Written in the console"); said = await line()) {
    ensure("wa chat has ended without the text", said !== undefined);
  }
  child.stdin.write("Written in a terminal\n");
  await sees(page, ".bubble.theirs .text", "Written in a terminal");
  await eventually(page, "carol's client says that it came", () => document.querySelector(".bubble.own .ticks:is(.delivered, .read)"));
}

async function manyStanzas(page, addresses) {
  const { accounts } = await control(addresses, "GET", "accounts");
  const { login } = accounts.find((it) => it.user === "alice");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Escape");
  await page.select("#filter-tag", "");
  const before = (await control(addresses, "GET", "")).stanzas;
  let sent = 0;
  while (sent < 10_200) {
    await Promise.all(Array.from({ length: 50 }, () => control(addresses, "POST", `accounts/${login}/ping`)));
    sent += 100;
  }
  const after = (await control(addresses, "GET", "")).stanzas;
  ensure(`${after - before} stanzas went over the wire`, after - before >= 10_000);
  await eventually(page, "the newest stanza is shown", (newest) =>
    Number([...document.querySelectorAll("#wirebody .row")].at(-1)?.dataset.number) >= newest, after);
  const rows = await page.$$eval("#wirebody .row", (it) => it.length);
  ensure(`${rows} rows in the page`, rows <= 2000);
  // Older ones are fetched where one scrolls to.
  const first = await page.$eval("#wirebody .row", (it) => Number(it.dataset.number));
  await page.$eval("#wirebody .rows", (it) => (it.scrollTop = 0));
  await eventually(page, "older stanzas are fetched", (first) => Number(document.querySelector("#wirebody .row").dataset.number) < first, first);
  // What is read does not move: what comes is counted in a pill.
  await page.$eval("#wirebody .rows", (it) => (it.scrollTop = it.scrollHeight / 2));
  const top = await page.$eval("#wirebody .rows", (it) => it.scrollTop);
  await control(addresses, "POST", `accounts/${login}/ping`);
  await sees(page, ".pill:not([hidden])", "new");
  ensure("what is read has moved", Math.abs((await page.$eval("#wirebody .rows", (it) => it.scrollTop)) - top) < 2);
  await click(page, ".pill:not([hidden])");
  await eventually(page, "the pill is gone", () => !document.querySelector(".pill:not([hidden])"));
}

/** A page of another origin may neither read nor do anything. */
async function foreignPage(browser, addresses) {
  const page = await browser.newPage();
  const other = await sandbox();
  await page.goto(`${other.media}/console/icon.svg`);
  const got = await page.evaluate(async (control) => {
    const tries = [
      () => fetch(`${control}accounts`),
      () => fetch(`${control}reset`, { method: "POST", mode: "no-cors" }),
      () => fetch(`${control}events`),
    ];
    const ends = [];
    for (const act of tries) ends.push(await act().then((it) => `${it.type} ${it.status}`, () => "refused"));
    return ends;
  }, addresses.control);
  ensure(`a foreign page reads: ${got}`, got[0] === "refused" && got[2] === "refused");
  ensure("a foreign page has reset the sandbox", (await control(addresses, "GET", "accounts")).accounts.length > 0);
  await page.close();
}

/** A conversation that shows what there is. */
async function story(addresses) {
  const { accounts } = await control(addresses, "GET", "accounts");
  const { login } = accounts.find((it) => it.user === "alice");
  const phone = "14155551002";
  await control(addresses, "POST", `phones/${phone}/manners`, { answers: false });
  const says = async (who, to, said) => {
    const { id } = await control(addresses, "POST", `${who}/send`, { to, ...said });
    for (;;) {
      const { messages } = await control(addresses, "GET", `phones/${phone}/chats/${login}`);
      if (messages.find((it) => it.id === id && it.delivered)) return id;
    }
  };
  const her = (said) => says(`demo/users/${login}`, phone, said);
  const theirs = (said) => says(`phones/${phone}`, login, said);
  const question = await her({ text: "Does your phone decrypt this?" });
  await theirs({ reply: { id: question, author: login, text: "It does. Here is a picture:" } });
  const picture = await theirs({ picture: { width: 144, height: 80, caption: "Made by the sandbox" } });
  await her({ reaction: { id: picture, own: false, emoji: "👍" } });
  await theirs({ voice: { seconds: 3 } });
  const typo = await theirs({ text: "And this is no mrkup: <b>bold</b>" });
  await theirs({ edit: { id: typo, text: "And this is no markup: <b>bold</b>" } });
  const last = await her({ text: "Every stanza of it is on the wire." });
  const { stanzas } = await control(addresses, "GET", `stanzas?tag=message&by=client&text=${last}`);
  return `${addresses.media}/#/phone/${phone}/user/${login}/stanza/${stanzas[0].number}`;
}

async function pictures(browser, addresses) {
  if (!given.pictures) return;
  const place = await story(addresses);
  for (const theme of ["light", "dark"]) {
    for (const [width, height, panes] of [[1440, 720, ["chat"]], [360, 740, ["chat", "wire", "who"]]]) {
      const page = await openPage(browser, place, { width, height });
      await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
      for (const pane of panes) {
        if (width < 900) await click(page, `#panenav [data-pane=${pane}]`);
        await eventually(page, "pictures are there", () => [...document.images].every((it) => it.complete));
        await page.evaluate(() => document.querySelector("#messages").scrollTo(0, 1e6));
        const name = width < 900 ? `${width}-${pane}-${theme}` : `${width}-${theme}`;
        await page.screenshot({ path: join(given.pictures, `${name}.png`) });
        if (width < 900) await isAccessible(page, `${width} pixels, ${pane}`);
        await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
        ensure(`${name}: wider than the window`, await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      }
      await page.close();
    }
  }
}

async function step(name, act) {
  const began = performance.now();
  await act();
  console.log(`ok  ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
}

async function walk(browser) {
  const addresses = await sandbox();
  const page = await openPage(browser, addresses.media);
  await step("chats from both sides, with ticks and a reply", () => chats(page));
  await step("files of one's own, and one that must not be shown", () => files(page));
  await step("a voice note from the microphone", () => recording(page));
  await step("markup stays text", () => staysText(page));
  await step("a stanza with its protobuf, by filter and by link", () => wire(page, addresses));
  await step("a deviation is a lesson", () => deviates(page, addresses));
  await step("a fault happens", () => faults(page, addresses));
  await step("a client of ours in a terminal", () => clientOfOurs(page, addresses));
  await step("pictures", () => pictures(browser, addresses));
  await step("10,000 stanzas", () => manyStanzas(page, addresses));
  await step("a page of another origin", () => foreignPage(browser, addresses));
  ensure(`the page complains: ${page.complaints.slice(0, 5).join("; ")}`, page.complaints.length === 0);
}

try {
  await withBrowser(given.browser, walk);
} catch (failure) {
  console.error(log.slice(-20).join(""));
  console.error(failure instanceof Failure ? `not so: ${failure.message}` : failure);
  process.exitCode = 1;
} finally {
  running.forEach((child) => child.kill());
  rmSync(scratch, { recursive: true, force: true });
}
