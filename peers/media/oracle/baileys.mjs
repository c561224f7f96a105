// Media encrypted, and decrypted, by a public client: the vectors of crates/wa-media/tests/vectors/client.json.
//
//   npm install --ignore-scripts --omit=optional --legacy-peer-deps    (in this directory)
//   node baileys.mjs make > ../../../crates/wa-media/tests/vectors/client.json
//   node baileys.mjs open < vectors.json                               (decrypts each blob of such a file)
//
// Byte i of every plaintext is (7 i + floor(i / 256)) mod 256, so only lengths are recorded.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { downloadContentFromMessage, encryptedStream } from '@whiskeysockets/baileys';

const LENGTHS = [1, 15, 16, 17, 1000, 65536, 200003];
const CLASSES = { image: 'image', sticker: 'image', video: 'video', gif: 'video', ptv: 'video', audio: 'audio', ptt: 'audio', document: 'document' };
const SHOWN = 2000;

const pattern = (length) => Buffer.from(Uint8Array.from({ length }, (_, i) => 7 * i + (i >> 8)));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const hex = (bytes) => Buffer.from(bytes).toString('hex');

async function make() {
  const vectors = [];
  for (const [type, media_class] of Object.entries(CLASSES)) {
    for (const length of LENGTHS) {
      const made = await encryptedStream(pattern(length), type, {});
      const blob = readFileSync(made.encFilePath);
      const vector = {
        type, media_class, length, key: hex(made.mediaKey), sha256: hex(made.fileSha256),
        enc_sha256: hex(made.fileEncSha256), blob_length: blob.length, blob_sha256: sha256(blob),
      };
      if (length <= SHOWN) vector.blob = hex(blob);
      vectors.push(vector);
    }
  }
  console.log(JSON.stringify({ made_by: '@whiskeysockets/baileys 7.0.0-rc14', vectors }, null, 1));
}

async function open() {
  const { vectors } = JSON.parse(readFileSync(0, 'utf8'));
  const shown = vectors.filter((vector) => vector.blob);
  const server = createServer((request, response) => response.end(Buffer.from(shown[Number(request.url.slice(1))].blob, 'hex')));
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  let wrong = 0;
  for (const [index, vector] of shown.entries()) {
    const url = `http://127.0.0.1:${server.address().port}/${index}`;
    const parts = [];
    const message = { url, mediaKey: Buffer.from(vector.key, 'hex') };
    for await (const part of await downloadContentFromMessage(message, vector.type ?? vector.media_class)) parts.push(part);
    if (!Buffer.concat(parts).equals(pattern(vector.length))) wrong += 1;
  }
  server.close();
  console.log(JSON.stringify({ opened: shown.length, wrong }));
  process.exitCode = wrong ? 1 : 0;
}

await (process.argv[2] === 'make' ? make() : open());
process.exit();
