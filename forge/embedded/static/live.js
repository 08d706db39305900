// Live reload of a conversation: what the reader types, opens or points at stays as it is.
"use strict";
(() => {
  const page = document.querySelector("[data-live]");
  if (!page) return;
  const PAUSE = 2000;
  const known = new Map(); // each part as the server last sent it, by its id

  // A part without its times: these change by themselves.
  const markup = (part) => {
    const copy = part.cloneNode(true);
    copy.querySelectorAll("time").forEach((time) => { time.textContent = ""; });
    return copy.outerHTML;
  };

  const parts = (root) => [...root.querySelectorAll("[data-part], [data-timeline] > li")];

  const isBusy = (part) =>
    part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, summary")
    || part.querySelector("details[open] form") !== null;

  const keepTimes = (old, fresh) => {
    const times = fresh.querySelectorAll("time");
    old.querySelectorAll("time").forEach((time, n) => { if (times[n]) time.textContent = times[n].textContent; });
  };

  const keepOpen = (old, fresh) => {
    const before = old.querySelectorAll("details");
    fresh.querySelectorAll("details").forEach((details, n) => { if (before[n]) details.open = before[n].open; });
  };

  const replace = (old, fresh) => {
    const now = markup(fresh);
    if (known.get(old.id) === now) return keepTimes(old, fresh);
    if (isBusy(old)) return;
    known.set(old.id, now);
    keepOpen(old, fresh);
    old.replaceWith(fresh);
  };

  const append = (row, before) => {
    known.set(row.id, markup(row));
    row.classList.add("fresh");
    before.after(row);
  };

  const update = (text) => {
    const root = new DOMParser().parseFromString(text, "text/html");
    const sent = parts(root);
    const ids = new Set(sent.map((part) => part.id));
    let before = null;
    for (const fresh of sent) {
      const old = document.getElementById(fresh.id);
      const isRow = fresh.matches("li");
      if (old) replace(old, fresh);
      else if (isRow && before) append(fresh, before);
      if (isRow) before = document.getElementById(fresh.id);
    }
    for (const row of page.querySelectorAll("[data-timeline] > li")) {
      if (!ids.has(row.id) && !isBusy(row)) row.remove();
    }
  };

  const poll = async () => {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(page.dataset.live, { cache: "no-cache", redirect: "error" });
        if (answer.ok) update(await answer.text());
      } catch { /* the forge cannot be reached: try again later */ }
    }
    setTimeout(poll, PAUSE);
  };

  parts(page).forEach((part) => known.set(part.id, markup(part)));
  setTimeout(poll, PAUSE);
})();
