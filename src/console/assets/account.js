// Who is signed in: the tokens, kept in this browser for all of its tabs.

const KEY = "greenroom.account";
/** A token that ends sooner is renewed before it is used. */
const MARGIN_MS = 30_000;
const WAIT_MS = 15_000;

/** The server's answer to something that went wrong, as it words it. */
export class Problem extends Error {
  constructor({ status, code, detail, title, errors = [] }) {
    const fields = errors.map(({ path, message }) => `${path.slice(1)} ${message}`);
    super(fields.join("; ") || detail || title);
    Object.assign(this, { status, code });
  }
}

async function post(path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const asked = { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(WAIT_MS) };
  const answer = await fetch(`/api/v1${path}`, asked);
  const value = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Problem(value);
  return value;
}

/** Runs alone among the tabs where the browser can say so; elsewhere the server's grace serves. */
const alone = (task) => (navigator.locks ? navigator.locks.request(KEY, task) : task());

export class Account {
  #kept;

  constructor(kept) {
    this.#kept = kept;
  }

  /** The account that this browser is signed in to; none: null. */
  static stored() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY));
      return kept?.refresh ? new Account(kept) : null;
    } catch {
      return null;
    }
  }

  /** Signs in or, with `create`, signs up. Throws a `Problem`. */
  static async signIn(email, password, create) {
    const tokens = await post(create ? "/auth/register" : "/auth/login", { email, password });
    const account = new Account({ email });
    account.#keep(tokens);
    return account;
  }

  get email() {
    return this.#kept.email;
  }

  get user() {
    return this.#kept.user;
  }

  /** An access token, a new one where `renew`; null where the sign-in has ended. */
  async token(renew = false) {
    const held = this.#kept.access;
    if (!renew && this.#isFresh()) return held;
    return alone(async () => {
      const stored = Account.stored();
      if (!stored) return null; // signed out in another tab
      this.#kept = stored.#kept;
      if (this.#kept.access !== held && this.#isFresh()) return this.#kept.access; // another tab was first
      try {
        this.#keep(await post("/auth/refresh", { refresh_token: this.#kept.refresh }));
        return this.#kept.access;
      } catch (error) {
        if (error.status !== 401) throw error; // later, perhaps
        this.#forget();
        return null;
      }
    });
  }

  async signOut() {
    const { refresh } = this.#kept;
    this.#forget();
    await post("/auth/logout", { refresh_token: refresh }).catch(() => {}); // it ends by itself
  }

  #isFresh() {
    return this.#kept.expires - MARGIN_MS > Date.now();
  }

  #keep({ user_id: user, access_token: access, expires_at_ms: expires, refresh_token: refresh }) {
    this.#kept = { email: this.#kept.email, user, access, expires, refresh };
    localStorage.setItem(KEY, JSON.stringify(this.#kept));
  }

  #forget() {
    localStorage.removeItem(KEY);
  }
}
