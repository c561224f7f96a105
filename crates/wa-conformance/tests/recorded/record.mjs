// Records what a public client of WhatsApp writes: contents, a login's payload, stanzas. `node record.mjs > baileys.json` in a
// directory with `npm install @whiskeysockets/baileys@7.0.0-rc14 --ignore-scripts` (MIT).

import { readFileSync } from "node:fs";

import { encodeBinaryNode, generateLoginNode, generateWAMessageContent, generateWAMessageFromContent, proto } from "@whiskeysockets/baileys";

const PHONE = "14155551001@s.whatsapp.net";
const LOGIN = "1-10853634039893@interop";
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const file = { mimetype: "image/jpeg", fileSha256: Buffer.alloc(32, 1), fileEncSha256: Buffer.alloc(32, 2), mediaKey: Buffer.alloc(32, 3),
  fileLength: 4096, directPath: "/v/t62.7118-24/a.enc", url: "https://mmg.whatsapp.net/v/t62.7118-24/a.enc", mediaKeyTimestamp: 1700000000 };

async function contents() {
  const key = (fromMe) => ({ remoteJid: PHONE, fromMe, id: "3EB0C767D26A8B4A5E6F" });
  const quoted = { key: { remoteJid: PHONE, fromMe: false, id: "3EB0C767D26A8B4A5E6F" }, message: { conversation: "Where?" } };
  const made = async (content, options = {}) => {
    const message = await generateWAMessageContent(content, { userJid: LOGIN, logger: { warn() {}, debug() {} } });
    return generateWAMessageFromContent(PHONE, message, { userJid: LOGIN, timestamp: new Date(0), ...options }).message;
  };
  const contents = {
    text: await made({ text: "Hello" }),
    mention: await made({ text: "Hello @14155551001", mentions: [PHONE] }),
    reply: await made({ text: "Here" }, { quoted }),
    reaction: await made({ react: { text: "👍", key: key(false) } }),
    "reaction taken back": await made({ react: { text: "", key: key(false) } }),
    edit: await made({ text: "Hello!", edit: key(true) }),
    revoke: await made({ delete: key(true) }),
    disappearing: { ephemeralMessage: { message: { conversation: "Soon gone" } } },
    "view once": { viewOnceMessage: { message: { imageMessage: { ...file, viewOnce: true } } } },
    picture: { imageMessage: { ...file, caption: "Look", width: 320, height: 200 } },
    "voice note": { audioMessage: { ...file, mimetype: "audio/ogg; codecs=opus", seconds: 3, ptt: true } },
    document: { documentMessage: { ...file, mimetype: "text/plain", fileName: "a.txt", title: "a" } },
    location: { locationMessage: { degreesLatitude: 52.5, degreesLongitude: 13.4 } },
  };
  return Object.entries(contents).map(([name, it]) => ({ name, hex: hex(proto.Message.encode(proto.Message.fromObject(it)).finish()) }));
}

function payloads() {
  const config = { version: [1, 0, 3], browser: ["Mac OS", "Chrome", "14.4.1"], countryCode: "US", syncFullHistory: false };
  const login = generateLoginNode("14155551001:3@s.whatsapp.net", config);
  const interop = { ...login, username: undefined, device: undefined, webInfo: undefined, product: proto.ClientPayload.Product.INTEROP,
    interopData: { accountId: 10853634039893, token: Buffer.from("header.claims.signature") } };
  return [["as it logs in itself", login], ["of a third party", interop]].map(([name, it]) => ({
    name, hex: hex(proto.ClientPayload.encode(proto.ClientPayload.fromObject(it)).finish()) }));
}

function stanzas() {
  const node = (tag, attrs, content) => ({ tag, attrs, content });
  const bytes = (text) => Buffer.from(text, "hex");
  const each = [
    node("iq", { id: "1", xmlns: "w:p", type: "get", to: "s.whatsapp.net" }, [node("ping", {})]),
    node("ack", { id: "3EB0C767D26A8B4A5E6F", to: PHONE, class: "message" }),
    node("receipt", { id: "3EB0C767D26A8B4A5E6F", to: PHONE, type: "read", t: "1700000000" },
      [node("list", {}, [node("item", { id: "3EB0C767D26A8B4A5E70" })])]),
    node("receipt", { id: "3EB0C767D26A8B4A5E6F", type: "retry", to: PHONE }, [
      node("retry", { count: "1", id: "3EB0C767D26A8B4A5E6F", t: "1700000000", v: "1" }), node("registration", {}, bytes("00003039"))]),
    node("message", { id: "3EB0C767D26A8B4A5E6F", to: PHONE, type: "text" }, [
      node("enc", { v: "2", type: "pkmsg" }, bytes("330801"))]),
    node("iq", { id: "2", xmlns: "encrypt", type: "get", to: "s.whatsapp.net" }, [node("count", {})]),
    node("iq", { id: "3", xmlns: "encrypt", type: "get", to: "s.whatsapp.net" }, [
      node("key", {}, [node("user", { jid: PHONE, reason: "identity" })])]),
    node("iq", { id: "4", xmlns: "blocklist", type: "set", to: "s.whatsapp.net" }, [node("item", { action: "block", jid: PHONE })]),
    node("chatstate", { to: PHONE }, [node("composing", { media: "audio" })]),
  ];
  return each.map((it) => ({ xml: xml(it), hex: hex(encodeBinaryNode(it)) }));
}

function xml({ tag, attrs, content }) {
  const said = Object.entries(attrs).map(([name, value]) => ` ${name}="${value}"`).join("");
  if (Buffer.isBuffer(content)) return `<${tag}${said} wa:bytes="${hex(content)}"/>`;
  return content ? `<${tag}${said}>${content.map(xml).join("")}</${tag}>` : `<${tag}${said}/>`;
}

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.resolve("@whiskeysockets/baileys").replace(/lib\/.*/, "")), "utf8"));
console.log(JSON.stringify({ client: `Baileys ${version}`, contents: await contents(), payloads: payloads(), stanzas: stanzas() }, null, 1));
