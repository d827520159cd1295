// Small helps for pages that work without them; everything hangs on data-* attributes.
(() => {
  const all = (q, root = document) => [...root.querySelectorAll(q)];
  const on = (type, q, run) =>
    document.addEventListener(type, (e) => {
      const el = e.target instanceof Element && e.target.closest(q);
      if (el) run(el, e);
    });

  // A form tapped twice is sent once.
  document.addEventListener("submit", (e) => {
    if (e.defaultPrevented) return;
    if (e.target.dataset.sent) return e.preventDefault();
    e.target.dataset.sent = "1";
    all("button[type=submit],button:not([type])", e.target).forEach((b) => b.setAttribute("aria-disabled", "true"));
  });
  addEventListener("pageshow", () =>
    all("form[data-sent]").forEach((f) => {
      delete f.dataset.sent;
      all("[aria-disabled]", f).forEach((b) => b.removeAttribute("aria-disabled"));
    }),
  );

  // Buttons that need a script are hidden until here.
  const speech = window.speechSynthesis;
  all("[data-print],[data-copy],[data-theme-switch]").forEach((b) => (b.hidden = false));
  all("[data-speak]").forEach((b) => (b.hidden = !speech));
  on("click", "[data-print]", () => print());
  on("click", "[data-copy]", async (b) => {
    await navigator.clipboard.writeText(b.dataset.copy);
    (b.querySelector("span") || b).textContent = b.dataset.done;
  });
  on("click", "[data-theme-switch]", () => {
    const html = document.documentElement;
    const now = html.dataset.theme || (matchMedia("(prefers-color-scheme:dark)").matches ? "dark" : "light");
    html.dataset.theme = now === "dark" ? "light" : "dark";
    document.cookie = `hoi_theme=${html.dataset.theme};path=/;max-age=31536000;samesite=lax`;
  });

  // The ear reads the page's own words aloud.
  on("click", "[data-speak]", (b) => {
    const was = speech.speaking;
    speech.cancel();
    b.setAttribute("aria-pressed", String(!was));
    if (was) return;
    const say = new SpeechSynthesisUtterance(document.querySelector(b.dataset.speak)?.innerText);
    say.lang = document.documentElement.lang;
    say.voice = speech.getVoices().find((v) => v.lang.startsWith(say.lang)) || null;
    say.onend = () => b.setAttribute("aria-pressed", "false");
    speech.speak(say);
  });

  // A day is typed; the browser's own calendar writes it as it would be typed.
  all("[data-calendar]").forEach((b) => (b.hidden = !HTMLInputElement.prototype.showPicker));
  on("click", "[data-calendar]", (b) => {
    const day = b.previousElementSibling;
    const pick = document.createElement("input");
    const [d, m, y] = day.value.split("/");
    Object.assign(pick, { type: "date", className: "sr", tabIndex: -1, ariaHidden: "true" });
    Object.assign(pick, { min: day.dataset.min ?? "", max: day.dataset.max ?? "" });
    pick.setAttribute("form", ""); // of no form: a day that was not taken must not stop it
    if (y) pick.value = `${y}-${m.padStart(2, "0")}-${d.padStart(2, "0")}`;
    pick.addEventListener("change", () => {
      day.value = pick.value.split("-").reverse().join("/");
      day.dispatchEvent(new Event("change", { bubbles: true }));
    });
    b.parentNode.querySelector("[type=date]")?.remove();
    b.after(pick);
    pick.showPicker();
  });

  // What the browser says of a chosen file lies unseen, being in its own language; here the file is named.
  const named = (input) => {
    input.parentNode.lastElementChild.textContent = [...input.files].map((f) => f.name).join(", ");
  };
  all(".file>input").forEach(named);
  on("change", ".file>input", named);

  // Tables: filter by typing, sort by header.
  const fold = (s) => s.normalize("NFD").replace(/\p{M}/gu, "").replace(/[đĐ]/g, "d").toLowerCase();
  on("input", "[data-filter]", (input) => {
    const want = fold(input.value);
    all(`${input.dataset.filter} tbody tr`).forEach((r) => (r.hidden = !fold(r.textContent).includes(want)));
  });
  on("click", "th[data-sort] button", (b) => {
    const th = b.closest("th");
    const up = th.getAttribute("aria-sort") !== "ascending";
    const body = th.closest("table").tBodies[0];
    const key = (r) => r.cells[th.cellIndex].dataset.value ?? r.cells[th.cellIndex].textContent.trim();
    all("th[aria-sort]", th.parentNode).forEach((h) => h.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const order = new Intl.Collator("vi", { numeric: true }).compare;
    body.append(...[...body.rows].sort((x, y) => order(key(x), key(y)) * (up ? 1 : -1)));
  });

  // Long work: refetch while it carries data-poll; offline, wait.
  const poll = async (el) => {
    try {
      const answer = await fetch(el.dataset.poll, { headers: { "X-Fragment": "1" } });
      if (answer.ok) {
        const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(el.id);
        if (next) el.replaceWith((el = document.adoptNode(next)));
      }
    } catch {}
    if (el.dataset.poll) setTimeout(poll, 2000, el);
  };
  all("[data-poll]").forEach((el) => setTimeout(poll, 1000, el));

  addEventListener("keydown", (e) => {
    const menu = e.key === "Escape" && document.querySelector("details.menu[open]");
    if (menu) (menu.open = false), menu.querySelector("summary").focus();
  });
  addEventListener("click", (e) => all("details.menu[open]").forEach((m) => m.contains(e.target) || (m.open = false)));
})();
