// Colours: they change no letter, and they know where they are.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { colour, language } from "../../src/console/assets/highlight.js";

/** The colours of a text: `[colour, text]`, line by line. */
function coloured(path, text) {
  let state = language(path);
  return text.split("\n").map((line) => {
    const [tokens, next] = colour(line, state);
    assert.equal(tokens.map(([, part]) => part).join(""), line, "no letter is changed");
    state = next;
    return tokens;
  });
}

const of = (tokens, kind) => tokens.flat().filter(([found]) => found === kind).map(([, text]) => text);

test("files of the built-in apps and of the console keep every letter", () => {
  const folders = ["llm/demo/apps/todo", "llm/demo/apps/kanban", "llm/demo/apps/quiz", "llm/demo/apps/shared", "console/assets", "console/assets/greenroom"];
  let files = 0;
  for (const folder of folders) {
    const url = new URL(`../../src/${folder}/`, import.meta.url);
    for (const name of readdirSync(url).filter((name) => name.includes("."))) {
      const tokens = coloured(name, readFileSync(new URL(name, url), "utf8"));
      assert.ok(tokens.flat().some(([kind]) => kind), `${name} has colours`);
      files += 1;
    }
  }
  assert.ok(files > 30);
});

test("a comment and a template reach over lines, and end", () => {
  const tokens = coloured("a.js", "/* one\nreturn */ return `a\nif ${b}` + 1");
  assert.deepEqual(of(tokens, "comment"), ["/* one", "return */"]);
  assert.deepEqual(of(tokens, "keyword"), ["return"]);
  assert.deepEqual(of(tokens, "string"), ["`a", "if ${b}`"]);
  assert.deepEqual(of(tokens, "number"), ["1"]);
});

test("scripts and styles within a page have their own colours", () => {
  const tokens = coloured("index.html", '<p class="x">if</p>\n<script type="module">\nif (a) b();\n</script>\n<style>\n.a { color: #fff }\n</style>');
  assert.deepEqual(of(tokens, "string"), ['"x"', '"module"']);
  assert.ok(of(tokens, "keyword").includes("if"));
  assert.equal(of(tokens, "keyword").filter((text) => text === "if").length, 1, "not the text of the page");
  assert.deepEqual(of(tokens, "number"), ["#fff"]);
});

test("a file of no known kind has no colours", () => {
  assert.deepEqual(coloured("LICENSE", "return 1"), [[["", "return 1"]]]);
});
