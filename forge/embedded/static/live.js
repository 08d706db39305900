// Renews an open conversation: what somebody types, opens or points at stays as it is.
"use strict";
(() => {
  const page = document.querySelector("[data-live]");
  if (!page) return;
  const PAUSE = 2000;
  const known = new Map(); // what the server said of each part, by its id

  // A part as the server wrote it, without the times: these pass by themselves.
  const said = (part) => {
    const copy = part.cloneNode(true);
    copy.querySelectorAll("time").forEach((time) => { time.textContent = ""; });
    return copy.outerHTML;
  };

  const parts = (root) => [...root.querySelectorAll("[data-part], [data-rows] > li")];

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

  const renew = (old, fresh) => {
    const now = said(fresh);
    if (known.get(old.id) === now) return keepTimes(old, fresh);
    if (isBusy(old)) return;
    known.set(old.id, now);
    keepOpen(old, fresh);
    old.replaceWith(fresh);
  };

  const arrive = (row, before) => {
    known.set(row.id, said(row));
    row.classList.add("fresh");
    before.after(row);
  };

  const take = (text) => {
    const root = new DOMParser().parseFromString(text, "text/html");
    const told = parts(root);
    const ids = new Set(told.map((part) => part.id));
    let before = null;
    for (const fresh of told) {
      const old = document.getElementById(fresh.id);
      const isRow = fresh.matches("li");
      if (old) renew(old, fresh);
      else if (isRow && before) arrive(fresh, before);
      if (isRow) before = document.getElementById(fresh.id);
    }
    for (const row of page.querySelectorAll("[data-rows] > li")) {
      if (!ids.has(row.id) && !isBusy(row)) row.remove();
    }
  };

  const look = async () => {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(page.dataset.live, { cache: "no-cache", redirect: "error" });
        if (answer.ok) take(await answer.text());
      } catch { /* the forge is away for a moment: look again later */ }
    }
    setTimeout(look, PAUSE);
  };

  parts(page).forEach((part) => known.set(part.id, said(part)));
  setTimeout(look, PAUSE);
})();
