// Colours for source code: rules by state, line by line, so that a file can grow.

const WORDS =
  "as|async|await|break|case|catch|class|const|continue|default|delete|do|else|export|extends|finally|for|from|function|get|if|import|in|instanceof|let|new|of|return|set|static|super|switch|this|throw|try|typeof|var|void|while|with|yield";

// A rule is [pattern, colour, next state]. The first that fits at a place is taken; a character
// that none takes has no colour.

/** JavaScript in a state of this name; `before` are rules that end it. */
const script = (state, before = []) => ({
  [state]: [
    ...before,
    [/\/\/.*/y, "comment"],
    [/\/\*/y, "comment", `${state} comment`],
    [/`/y, "string", `${state} template`],
    [/"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?/y, "string"],
    [/(?<=(?:^|[=(,:!&|?{};\n])\s*)\/(?![/*])(?:[^/\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+\/[a-z]*/y, "string"],
    [new RegExp(`\\b(?:${WORDS})\\b(?!\\s*:)`, "y"), "keyword"],
    [/\b(?:true|false|null|undefined|NaN|Infinity)\b|\b\d[\w.]*/y, "number"],
    [/[A-Za-z_$][\w$]*(?=\()/y, "name"],
    [/[A-Za-z_$][\w$]*/y],
  ],
  [`${state} comment`]: [[/.*?\*\//y, "comment", state], [/.+/y, "comment"]],
  [`${state} template`]: [[/(?:[^`\\]|\\.)*`/y, "string", state], [/.+/y, "string"]],
});

/** CSS likewise. */
const style = (state, before = []) => ({
  [state]: [
    ...before,
    [/\/\*/y, "comment", `${state} comment`],
    [/"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?/y, "string"],
    [/@[\w-]+|!important/y, "keyword"],
    [/--[\w-]+/y, "name"],
    [/[\w-]+(?=\s*:(?![\w-]*[^;]*\{))/y, "keyword"],
    [/#[0-9a-fA-F]{3,8}\b|-?\.?\d[\w.%]*/y, "number"],
    [/[.#][\w-]+/y, "name"],
    [/[\w-]+/y],
  ],
  [`${state} comment`]: [[/.*?\*\//y, "comment", state], [/.+/y, "comment"]],
});

/** What is between the name of a tag and its end. */
const tag = (state, next) => ({
  [state]: [
    [/\/?>/y, "keyword", next],
    [/"[^"]*"|'[^']*'/y, "string"],
    [/["'].*/y, "string"],
    [/[^\s=>"'/]+/y, "name"],
  ],
});

const STATES = {
  html: [
    [/<!--/y, "comment", "html comment"],
    [/<!doctype[^>]*>/iy, "comment"],
    [/<script\b/iy, "keyword", "script tag"],
    [/<style\b/iy, "keyword", "style tag"],
    [/<\/?[A-Za-z][\w-]*/y, "keyword", "tag"],
    [/&[#\w]+;/y, "number"],
  ],
  "html comment": [[/.*?-->/y, "comment", "html"], [/.+/y, "comment"]],
  ...tag("tag", "html"),
  ...tag("script tag", "html js"),
  ...tag("style tag", "html css"),
  ...script("html js", [[/<\/script\b/iy, "keyword", "tag"]]),
  ...style("html css", [[/<\/style\b/iy, "keyword", "tag"]]),
  ...script("js"),
  ...style("css"),
  json: [
    [/"(?:[^"\\]|\\.)*"(?=\s*:)/y, "name"],
    [/"(?:[^"\\]|\\.)*"?/y, "string"],
    [/-?\d[\d.eE+-]*|true|false|null/y, "number"],
  ],
  md: [
    [/^```.*/y, "comment", "md code"],
    [/^#{1,6} .*/y, "keyword"],
    [/^\s*(?:[-*+]|\d+\.)(?= )/y, "keyword"],
    [/`[^`]+`/y, "string"],
    [/\*\*[^*]+\*\*/y, "name"],
    [/\[[^\]]*\]\([^)]*\)/y, "string"],
  ],
  "md code": [[/^```/y, "comment", "md"], [/.+/y, "string"]],
};

const LANGUAGES = {
  html: "html", htm: "html", svg: "html", xml: "html", css: "css", json: "json", webmanifest: "json",
  js: "js", mjs: "js", cjs: "js", ts: "js", jsx: "js", tsx: "js", md: "md",
};

/** The state in which a file begins, by its path; "": it has no colours. */
export function language(path) {
  return LANGUAGES[path.slice(path.lastIndexOf(".") + 1).toLowerCase()] ?? "";
}

/** Cuts a line that begins in `state` into `[colour, text]`; and the state of the next line. */
export function colour(line, state) {
  const tokens = [];
  const push = (kind, text) => {
    const last = tokens.at(-1);
    if (last && last[0] === kind) last[1] += text;
    else tokens.push([kind, text]);
  };
  let [at, now] = [0, state];
  while (at < line.length) {
    const found = (STATES[now] ?? []).find(([pattern]) => {
      pattern.lastIndex = at;
      return pattern.test(line) && pattern.lastIndex > at;
    });
    const end = found ? found[0].lastIndex : at + 1;
    push(found?.[1] ?? "", line.slice(at, end));
    now = found?.[2] ?? now;
    at = end;
  }
  return [tokens, now];
}
