// ---- Changes that can be undone ---------------------------------------------------------------

const past = [];

/** Changes the state by `action`, keeps it, shows it, and says what happened. */
function change(what, action) {
  past.push(JSON.stringify(state));
  if (past.length > 100) past.shift();
  action();
  save();
  render();
  say(what);
}

function undo() {
  if (!past.length) return;
  state = JSON.parse(past.pop());
  save();
  render();
  say("Undone.");
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !typing) {
    event.preventDefault();
    undo();
  }
});

