// One version of the official library, asked by JSON lines: a request a line on stdin, its answer a line on stdout.
//
//   node oracle.cjs VERSION
//
// Bytes are base64. What the library refuses is answered {"refused": CLASS, "why": TEXT}, a request that this program
// does not understand {"error": TEXT}.
'use strict';

const path = require('node:path');
const readline = require('node:readline');

const version = process.argv[2];
const installed = path.join(__dirname, version, 'node_modules', '@signalapp', 'libsignal-client');
const signal = require(installed);

const bytes = (text) => Buffer.from(text, 'base64');
const text = (buffer) => Buffer.from(buffer).toString('base64');
const publicKey = (value) => signal.PublicKey.deserialize(bytes(value));
const address = (peer) => signal.ProtocolAddress.new(peer, 1);

class Sessions extends signal.SessionStore {
  records = new Map();
  async saveSession(name, record) {
    this.records.set(name.name(), record.serialize());
  }
  async getSession(name) {
    const record = this.records.get(name.name());
    return record ? signal.SessionRecord.deserialize(record) : null;
  }
  async getExistingSessions(names) {
    return Promise.all(names.map((name) => this.getSession(name)));
  }
}

// Trust on first use: another identity than the first is refused.
class Identities extends signal.IdentityKeyStore {
  known = new Map();
  constructor(key, registrationId) {
    super();
    this.key = key;
    this.registrationId = registrationId;
  }
  async getIdentityKey() {
    return this.key;
  }
  async getLocalRegistrationId() {
    return this.registrationId;
  }
  async saveIdentity(name, key) {
    const old = this.known.get(name.name());
    this.known.set(name.name(), key);
    const changed = old !== undefined && old.compare(key) !== 0;
    // The older version asks for a boolean, the newer for a number.
    return signal.IdentityChange ? Number(changed) : changed;
  }
  async isTrustedIdentity(name, key) {
    const known = this.known.get(name.name());
    return known === undefined || known.compare(key) === 0;
  }
  async getIdentity(name) {
    return this.known.get(name.name()) ?? null;
  }
}

class Prekeys extends signal.PreKeyStore {
  keys = new Map();
  async savePreKey(id, record) {
    this.keys.set(id, record);
  }
  async getPreKey(id) {
    if (!this.keys.has(id)) throw new Gone(`one-time prekey ${id}`);
    return this.keys.get(id);
  }
  async removePreKey(id) {
    this.keys.delete(id);
  }
}

class SignedPrekeys extends signal.SignedPreKeyStore {
  keys = new Map();
  async saveSignedPreKey(id, record) {
    this.keys.set(id, record);
  }
  async getSignedPreKey(id) {
    if (!this.keys.has(id)) throw new Gone(`signed prekey ${id}`);
    return this.keys.get(id);
  }
}

// The newer version asks for a store of post-quantum prekeys; it stays empty.
const NoKyber = signal.KyberPreKeyStore && class extends signal.KyberPreKeyStore {
  async saveKyberPreKey() {}
  async getKyberPreKey(id) {
    throw new Gone(`post-quantum prekey ${id}`);
  }
  async markKyberPreKeyUsed() {}
};

class Gone extends Error {}

let parties = new Map();

const commands = {
  // Ends a conversation: all parties are forgotten.
  reset() {
    parties = new Map();
    return {};
  },

  new_party({ party, registration_id }) {
    const key = signal.PrivateKey.generate();
    parties.set(party, {
      key,
      registrationId: registration_id,
      sessions: new Sessions(),
      identities: new Identities(key, registration_id),
      prekeys: new Prekeys(),
      signed: new SignedPrekeys(),
      kyber: NoKyber ? new NoKyber() : undefined,
    });
    return { identity: text(key.getPublicKey().serialize()) };
  },

  // Publishes the signed prekey of that id, made when it is first asked for, and a new one-time prekey if one is.
  async bundle({ party, signed_id, one_time_id }) {
    const { key, prekeys, signed } = parties.get(party);
    if (!signed.keys.has(signed_id)) {
      const secret = signal.PrivateKey.generate();
      const signature = key.sign(secret.getPublicKey().serialize());
      const record =
        signal.SignedPreKeyRecord.new(signed_id, Date.now(), secret.getPublicKey(), secret, signature);
      await signed.saveSignedPreKey(signed_id, record);
    }
    const record = await signed.getSignedPreKey(signed_id);
    let oneTimeKey = null;
    if (one_time_id !== null) {
      const secret = signal.PrivateKey.generate();
      oneTimeKey = text(secret.getPublicKey().serialize());
      await prekeys.savePreKey(one_time_id, signal.PreKeyRecord.new(one_time_id, secret.getPublicKey(), secret));
    }
    return {
      signed_key: text(record.publicKey().serialize()),
      signature: text(record.signature()),
      one_time_key: oneTimeKey,
    };
  },

  async process_bundle({ party, peer, bundle }) {
    const { sessions, identities } = parties.get(party);
    const oneTimeKey = bundle.one_time_key === null ? null : publicKey(bundle.one_time_key);
    const parsed = signal.PreKeyBundle.new(
      bundle.registration_id, 1, bundle.one_time_id, oneTimeKey, bundle.signed_id, publicKey(bundle.signed_key),
      bytes(bundle.signature), publicKey(bundle.identity),
    );
    await signal.processPreKeyBundle(parsed, address(peer), sessions, identities);
    return {};
  },

  async encrypt({ party, peer, plaintext }) {
    const { sessions, identities } = parties.get(party);
    const message = await signal.signalEncrypt(bytes(plaintext), address(peer), sessions, identities);
    const isPrekey = message.type() === signal.CiphertextMessageType.PreKey;
    return { kind: isPrekey ? 'pkmsg' : 'msg', bytes: text(message.serialize()) };
  },

  async decrypt({ party, peer, kind, bytes: message }) {
    const { sessions, identities, prekeys, signed, kyber } = parties.get(party);
    // As in one transaction: the older version saves the identity of a message before it has authenticated.
    const known = new Map(identities.known);
    try {
      const plaintext =
        kind === 'pkmsg'
          ? await signal.signalDecryptPreKey(
              signal.PreKeySignalMessage.deserialize(bytes(message)), address(peer), sessions, identities, prekeys,
              signed, kyber,
            )
          : await signal.signalDecrypt(
              signal.SignalMessage.deserialize(bytes(message)), address(peer), sessions, identities,
            );
      return { plaintext: text(plaintext) };
    } catch (error) {
      identities.known = known;
      throw error;
    }
  },

  sign({ party, message }) {
    return { signature: text(parties.get(party).key.sign(bytes(message))) };
  },

  verify({ key, message, signature }) {
    return { valid: publicKey(key).verify(bytes(message), bytes(signature)) };
  },

  fingerprint({ version: form, local, local_key, remote, remote_key }) {
    const made = signal.Fingerprint.new(
      5200, form, bytes(local), publicKey(local_key), bytes(remote), publicKey(remote_key),
    );
    return {
      display: made.displayableFingerprint().toString(),
      scannable: text(made.scannableFingerprint().toBuffer()),
    };
  },
};

function failure(error) {
  if (error instanceof TypeError || error instanceof ReferenceError || error instanceof SyntaxError) {
    return { error: String(error.stack) };
  }
  const { DuplicatedMessage, UntrustedIdentity } = signal.ErrorCode;
  const classes = new Map([[DuplicatedMessage, 'duplicate'], [UntrustedIdentity, 'untrusted']]);
  return { refused: classes.get(error.code) ?? 'other', why: String(error.message) };
}

async function answer(line) {
  try {
    const request = JSON.parse(line);
    return await commands[request.command](request);
  } catch (error) {
    return failure(error);
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  }
})();
