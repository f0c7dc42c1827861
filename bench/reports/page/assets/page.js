"use strict";
(() => {
  const root = document.documentElement;
  const all = (query, where = document) => [...where.querySelectorAll(query)];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = { // a page opened from a file may be refused a memory
    get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("theme", value); } catch { /* forgotten */ } },
  };
  root.classList.add("js");
  if (["light", "dark"].includes(kept.get())) root.dataset.theme = kept.get();

  addEventListener("DOMContentLoaded", () => {
    theme();
    all("table[data-table]").forEach(sortable);
    all("[data-filter], [data-measured]").forEach((input) =>
      input.addEventListener("input", () => filter(input.dataset.filter || input.dataset.measured)));
    tips();
    sections();
    addEventListener("hashchange", reveal);
    reveal();
  });

  function theme() {
    const button = document.getElementById("theme");
    const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
    const show = () => button.setAttribute("aria-pressed", isDark());
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      kept.set(root.dataset.theme);
      show();
    });
    dark.addEventListener("change", show);
    show();
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const headers = all("thead tr:last-child th", table);
    const text = (row, at) => row.cells[at].textContent.trim();
    const number = (row, at) => parseFloat(text(row, at).replace(/^\(/, "").replace("−", "-"));
    headers.forEach((header, at) => {
      const button = header.querySelector("button");
      const isNumber = button.dataset.sort === "number";
      const turns = isNumber ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
      button.addEventListener("click", () => {
        const turn = turns[(turns.indexOf(header.getAttribute("aria-sort")) + 1) % 3];
        headers.forEach((other) => other.setAttribute("aria-sort", "none"));
        header.setAttribute("aria-sort", turn);
        const sign = turn === "descending" ? -1 : 1;
        const compare = (a, b) => {
          const lacks = [a, b].map((row) => text(row, at) === "—");
          if (lacks[0] || lacks[1]) return lacks[0] - lacks[1]; // last, whichever way
          if (isNumber) return sign * (number(a, at) - number(b, at));
          return sign * text(a, at).localeCompare(text(b, at), "en", { numeric: true });
        };
        body.append(...(turn === "none" ? rows : [...rows].sort(compare)));
        const how = turn === "none" ? "in the first order" : `sorted by ${button.textContent}, ${turn}`;
        tell(table.dataset.table, how);
      });
    });
  }

  function filter(name) {
    const value = (query) => document.querySelector(query);
    const words = value(`[data-filter="${name}"]`).value.toLowerCase().split(/\s+/).filter(Boolean);
    const here = value(`[data-measured="${name}"]`);
    const rows = all(`table[data-table="${name}"] tbody tr`);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase().replaceAll("\u00a0", " ");
      row.hidden = !words.every((word) => text.includes(word))
        || Boolean(here && here.checked && !("here" in row.dataset));
      shown += !row.hidden;
    }
    tell(name, shown ? `${shown} of ${rows.length} rows` : `no row of ${rows.length} fits`);
  }

  function tell(name, text) {
    const region = document.querySelector(`[data-count="${name}"]`);
    if (region) region.textContent = text;
  }

  function tips() {
    const tip = document.createElement("div");
    Object.assign(tip, { id: "tip", hidden: true });
    tip.setAttribute("role", "tooltip");
    document.body.append(tip);
    let owner = null;
    let leaving = 0;
    const hide = () => {
      clearTimeout(leaving);
      if (owner) owner.removeAttribute("aria-describedby");
      owner = null;
      tip.hidden = true;
    };
    const show = (target) => {
      clearTimeout(leaving);
      if (target === owner) return;
      hide();
      owner = target;
      tip.textContent = target.dataset.tip;
      tip.hidden = false;
      target.setAttribute("aria-describedby", "tip");
      place();
    };
    const place = () => {
      const at = owner.getBoundingClientRect();
      const size = tip.getBoundingClientRect();
      const left = Math.min(at.left, innerWidth - size.width - 8);
      const below = at.bottom + 6;
      const top = below + size.height > innerHeight ? at.top - size.height - 6 : below;
      tip.style.left = `${Math.max(8, left)}px`;
      tip.style.top = `${Math.max(8, top)}px`;
    };
    const of = (event) => event.target.closest && event.target.closest("[data-tip]");
    document.addEventListener("pointerover", (event) => {
      if (of(event)) show(of(event));
      else if (tip.contains(event.target)) clearTimeout(leaving);
      else if (owner && owner !== document.activeElement) {
        clearTimeout(leaving);
        leaving = setTimeout(hide, 150);
      }
    });
    document.addEventListener("focusin", (event) => (of(event) ? show(of(event)) : hide()));
    document.addEventListener("focusout", hide);
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
    const follow = () => { // focus scrolls its target into view; what the pointer left goes
      if (owner && owner === document.activeElement) place();
      else hide();
    };
    document.addEventListener("scroll", follow, { capture: true, passive: true });
    let followed = null;
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-key]");
      followed = link && link.dataset.key;
      hide();
      if (link && link.hash === location.hash) reveal();
    });
    tips.followed = () => followed;
  }

  function sections() { // the bar says where one is
    const links = new Map(all(".bar a").map((link) => [link.hash.slice(1), link]));
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const link = links.get(target.getAttribute("aria-labelledby"));
        if (!link) continue;
        if (isIntersecting) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }, { rootMargin: "-30% 0px -69% 0px" });
    all("main > section").forEach((section) => seen.observe(section));
  }

  function reveal() {
    all(".lit").forEach((cell) => cell.classList.remove("lit"));
    let target = null;
    try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
    if (!target) return;
    const holder = target.closest("details");
    if (holder) holder.open = true;
    const key = tips.followed();
    const head = key && all("th[data-metric]", target).find((th) => named(th.dataset.metric, key));
    if (head) {
      const rows = all("tr", target);
      rows.forEach((row) => row.cells[head.cellIndex].classList.add("lit"));
      const box = head.closest(".box");
      box.scrollLeft = head.offsetLeft - box.clientWidth / 2;
    }
    target.scrollIntoView({ block: target.matches("tr") ? "center" : "start" });
    const focus = target.querySelector(":scope > summary");
    if (focus) focus.focus({ preventScroll: true });
  }

  // The seen classes of a draw: a table says whose draw, a record need not.
  const named = (metric, key) => metric === key
    || (metric.startsWith("seen.") && key.startsWith("seen_") && metric.split(".").pop() === key.split(".").pop());
})();
