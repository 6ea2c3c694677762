// What a commit changes, as lines.

import { el } from "./dom.js";

const KINDS = { "+": "plus", "-": "minus", "@": "hunk" };
const HEAD = /^(diff|index|---|\+\+\+|new file|deleted file)/;

/** Reads all files that differ from the commit before. */
export async function changesOf(client, session, commit) {
  const files = [];
  let after = null;
  do {
    const page = await client.call("session.diff", { session, params: { to: commit, ...(after && { after }) } });
    files.push(...page.files);
    after = page.next_after ?? null;
  } while (after);
  return files;
}

/** One file's difference. */
export function diffView({ path, change, patch }) {
  const lines = (patch ?? "").split("\n").slice(0, -1).filter((line, at) => at > 4 || !HEAD.test(line));
  const body = patch === undefined ? [el("span", {}, "The difference is too long to show.")] : lines.map((line) => el("code", { className: KINDS[line[0]] ?? "" }, line));
  return el("section", { className: "diff" }, el("h3", { className: "mono" }, path, el("span", { className: "quiet" }, ` ${change}`)), el("pre", { tabIndex: 0, "aria-label": `Changes of ${path}` }, ...body));
}
