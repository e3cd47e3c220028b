// The filter, the folding, j and k, and the switch between light and dark. Everything is there without it.
"use strict";
(() => {
  const root = document.documentElement;
  const incidents = [...document.querySelectorAll("details.incident")];
  const words = new WeakMap();

  const shown = () => incidents.filter((one) => !one.hidden);

  // Light and dark: the system's choice until the button is pressed; remembered by this page only.
  const theme = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const label = () => {
    theme.textContent = isDark() ? "light" : "dark";
    theme.setAttribute("aria-label", `switch to ${theme.textContent} colours`);
  };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  system.addEventListener("change", label);
  label();

  // A link to something folded away unfolds it.
  const reveal = () => {
    const name = decodeURIComponent(window.location.hash.slice(1));
    const target = name ? document.getElementById(name) : null;
    if (!target) return;
    const fold = target.closest("details");
    if (fold) fold.open = true;
    target.hidden = false;
    target.scrollIntoView();
    if (target.matches("details.incident")) target.querySelector("summary").focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", reveal);
  reveal();

  // On paper all is unfolded, and folded again afterwards.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
    folded = [];
  });

  const form = document.querySelector("form.filter");
  const box = document.getElementById("filter");

  // j and k walk from incident to incident.
  const step = (by) => {
    const list = shown();
    if (!list.length) return;
    const at = list.findIndex((one) => one.contains(document.activeElement));
    const next = list[Math.min(list.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by))];
    next.querySelector("summary").focus();
    next.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    const inField = event.target instanceof HTMLElement && event.target.matches("input, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || inField) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/" && box) {
      event.preventDefault();
      box.focus();
    }
  });

  if (!form) return;
  const output = document.getElementById("shown");
  const unfold = document.getElementById("unfold");
  const chips = [...form.querySelectorAll("button[data-reason]")];
  form.hidden = false;

  const wordsOf = (one) => {
    if (!words.has(one)) words.set(one, one.textContent.toLowerCase());
    return words.get(one);
  };
  const filter = () => {
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const reasons = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((c) => c.dataset.reason);
    let count = 0;
    for (const one of incidents) {
      const fits =
        (!reasons.length || reasons.includes(one.dataset.reason)) &&
        wanted.every((word) => wordsOf(one).includes(word));
      one.hidden = !fits;
      if (fits) count += 1;
    }
    const all = count === incidents.length;
    output.textContent = all ? "" : `${count} of ${incidents.length} shown`;
  };
  let waiting = 0;
  box.addEventListener("input", () => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(filter, 120);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      box.value = "";
      filter();
      box.blur();
    }
  });
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") === "true" ? "false" : "true");
      filter();
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
  });
  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    for (const one of shown()) one.open = open;
    unfold.setAttribute("aria-pressed", String(open));
    unfold.textContent = open ? "fold all" : "unfold all";
  });
})();
