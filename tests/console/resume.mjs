// A run, followed by a client that cuts its socket again and again. Prints what it was told.

import { Client, Replica } from "../../src/console/assets/greenroom/greenroom.js";

const { GREENROOM_URL: url, GREENROOM_TOKEN: token, GREENROOM_SESSION: session } = process.env;
const client = new Client({ url, token: async () => token, random: () => 0 });
const [entries, replica] = [[], new Replica()];
let [cuts, sinceCut] = [0, 0];

await new Promise((done) => {
  client.attach(session, {
    event(ev) {
      replica.apply(ev);
      entries.push(ev);
      sinceCut += 1;
      if (ev.event.type === "run.finished") done();
      else if (sinceCut > 2 && cuts < 6) {
        [cuts, sinceCut] = [cuts + 1, 0];
        client.cut();
      }
    },
  });
  client.command("run.start", { session, params: { input: "a quiz about rivers" } });
  client.start();
});
client.stop();
const files = Object.fromEntries([...replica.files].map(([path, { text }]) => [path, text]));
process.stdout.write(JSON.stringify({ cuts, entries, files }));
