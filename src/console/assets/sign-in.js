// The form to sign in or to sign up.

import { Account } from "./account.js";
import { el } from "./dom.js";

/** Shows the form in `place`; calls `done` with the account. `why` says what led here. */
export function signIn(place, done, why = "") {
  const email = el("input", { id: "email", type: "email", required: true, autocomplete: "username", autocapitalize: "none" });
  const password = el("input", { id: "password", type: "password", required: true, autocomplete: "current-password" });
  const problem = el("p", { className: "problem", role: "alert" }, why);
  const enter = el("button", { type: "submit", className: "primary", value: "enter" }, "Sign in");
  const create = el("button", { type: "submit", value: "create" }, "Create an account");
  const form = el(
    "form",
    { method: "post", className: "card", noValidate: false },
    el("h1", {}, "Sign in"),
    el("label", { htmlFor: "email" }, "E-mail address"),
    email,
    el("label", { htmlFor: "password" }, "Password"),
    password,
    problem,
    el("div", { className: "row" }, enter, create),
    el("p", { className: "quiet" }, "greenroom dev prints a demo user and its password."),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    enter.disabled = create.disabled = true;
    try {
      done(await Account.signIn(email.value.trim(), password.value, event.submitter === create));
    } catch (error) {
      problem.textContent = error.status ? error.message : "The server cannot be reached. Try again in a moment.";
      enter.disabled = create.disabled = false;
      password.focus();
    }
  });
  place.replaceChildren(form);
  email.focus();
}
