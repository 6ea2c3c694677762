// A server that a test plays by hand: sockets without a network, and the golden frames.

import { readFileSync, readdirSync } from "node:fs";
import { Client } from "../../src/console/assets/greenroom/greenroom.js";

const FOLDER = new URL("../../protocol/tests/golden/", import.meta.url);

/** The golden frame of a file's name, such as "server.ev". */
export const golden = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));

/** The names of all golden files that begin so. */
export const goldens = (start) =>
  readdirSync(FOLDER).filter((name) => name.startsWith(start)).map((name) => name.replace(/\.json$/, ""));

export const SESSION = golden("client.attach").session;
export const WELCOME = { ...golden("server.welcome"), features: [] };

/** An `ev` of channel 1 that adds to a text. */
export const delta = (seq, text = String(seq)) => ({ type: "ev", ch: 1, seq, ts: 0, event: { type: "text.delta", part: 1, text } });

/** An `attached` of channel 1. */
export const attached = (after, head = after, epoch = 1) => ({ type: "attached", ch: 1, session: SESSION, epoch, head, after, mode: "resumed", status: "idle" });

/** A client and the sockets that it has opened; the last one is `net.socket`. */
export function bed(options = {}) {
  const net = { sockets: [], get socket() { return this.sockets.at(-1); } };
  class FakeSocket {
    sent = [];
    closed = null;

    constructor(url, protocol) {
      Object.assign(this, { url, protocol });
      net.sockets.push(this);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close(code) {
      this.closed = code;
    }

    /** The frames that were sent since the last time. */
    take() {
      return this.sent.splice(0);
    }

    say(...frames) {
      for (const frame of frames) this.onmessage({ data: JSON.stringify(frame) });
    }

    /** Opens, takes the `hello`, welcomes. */
    welcome(more = {}) {
      this.onopen();
      const [hello] = this.take();
      this.say({ ...WELCOME, ...more });
      return hello;
    }

    end(code = 1006, reason = "") {
      this.onclose({ code, reason });
    }
  }
  const client = new Client({ url: "ws://host/ws", token: async () => "a.b.c", random: () => 0, WebSocket: FakeSocket, ...options });
  return { client, net };
}

/** Lets promises settle. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A client that is ready, with one attachment that keeps what it is told. */
export async function follower(after = "start", options = {}) {
  const { client, net } = bed(options);
  const seen = { begun: [], seqs: [], text: "", caughtUp: 0, ended: null };
  const handler = {
    begin: (begun) => {
      if (begun.begin !== "continued") Object.assign(seen, { seqs: [], text: "" });
      seen.begun.push(begun.begin);
    },
    event: ({ seq, event }) => {
      seen.seqs.push(seq);
      seen.text += event.text ?? "";
    },
    caughtUp: () => (seen.caughtUp += 1),
    ended: (reason) => (seen.ended = reason),
  };
  const { attachment, detach } = client.attach(SESSION, handler, { after });
  client.start();
  await settled();
  const hello = net.socket.welcome();
  return { client, net, seen, attachment, detach, hello };
}
