// Keeps an open page fresh and reachable by keyboard. Every page works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["system", "dark", "light"];
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const setTheme = (theme) => {
    if (theme === "dark" || theme === "light") root.dataset.theme = theme; else delete root.dataset.theme;
  };
  setTheme(stored());

  const STALE_MS = 15000;   // three beats of the stream
  const THROTTLE_MS = 1000; // at most one refresh a second
  let heard = 0;            // when the stream last spoke
  let shown = null;         // revision fetched last
  let latest = null;        // revision at the server
  let pending = null;       // a fetched document that waits for the reader
  let behind = 0;           // since when the page is older than the server says
  let fetching = false;
  let lastFetch = 0;
  let pointed = null;       // the live table or list under the pointer
  let source = null;
  let ahead = 0;            // the server's clock minus ours, so that ages do not depend on this one

  const span = (s) => s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min`
    : s < 172800 ? `${Math.floor(s / 3600)} h` : s < 63072000 ? `${Math.floor(s / 86400)} d`
    : `${Math.floor(s / 31536000)} y`;

  const heed = (iso) => { const at = Date.parse(iso); if (!Number.isNaN(at)) ahead = at - Date.now(); };

  const ages = () => {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll("time[datetime]")) {
      const seconds = Math.floor((now - Date.parse(time.dateTime)) / 1000);
      if (Number.isNaN(seconds)) continue;
      const text = seconds === 0 ? "now" : seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const fresh = () => {
    if (!pending) return 0;
    let count = 0;
    for (const region of pending.querySelectorAll("[data-live]")) {
      const here = document.querySelector(`[data-live="${region.dataset.live}"]`);
      const known = new Set([...(here?.querySelectorAll("[data-key]") ?? [])].map((row) => row.dataset.key));
      for (const row of region.querySelectorAll("[data-key]")) if (!known.has(row.dataset.key)) count++;
    }
    return count;
  };

  const say = (state, text) => {
    const feed = document.getElementById("feed");
    if (!feed) return;
    feed.dataset.state = state;
    const line = feed.querySelector(".feed-text");
    if (line.textContent !== text) line.textContent = text;
  };

  const status = () => {
    const clock = document.getElementById("clock");
    if (clock) clock.textContent = new Date(Date.now() + ahead).toISOString().replace("T", " ").slice(0, 19) + " UTC";
    if (!heard) return;
    const age = Math.floor((Date.now() - heard) / 1000);
    if (latest === shown || document.hidden) behind = 0;
    else behind ||= Date.now();
    const late = behind ? Date.now() - behind : 0;
    if (late >= STALE_MS) say("stalled", `old for ${span(Math.floor(late / 1000))}`);
    else if (age * 1000 >= STALE_MS) say("stalled", `stalled for ${span(age)}`);
    else if (pending) say("waiting", fresh() ? `${fresh()} new, press .` : "changed, press .");
    else say("live", age < 6 ? "live" : `live, ${age} s ago`);
  };

  const busy = () => {
    const focus = document.activeElement;
    const typing = focus && focus !== document.body && focus.closest("[data-live]");
    const selecting = String(getSelection() ?? "") !== "";
    return Boolean(typing || selecting || (pointed && pointed.isConnected));
  };

  const swap = (next, marked) => {
    for (const here of document.querySelectorAll("[data-live]")) {
      const there = next.querySelector(`[data-live="${here.dataset.live}"]`);
      if (!there || here.isEqualNode(there)) continue;
      const known = new Set([...here.querySelectorAll("[data-key]")].map((row) => row.dataset.key));
      const open = new Map([...here.querySelectorAll("details[id]")].map((part) => [part.id, part.open]));
      const scrolls = [...here.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
      const top = here.scrollTop;
      const node = document.adoptNode(there);
      for (const part of node.querySelectorAll("details[id]")) if (open.has(part.id)) part.open = open.get(part.id);
      if (marked) for (const row of node.querySelectorAll("[data-key]")) row.classList.toggle("fresh", !known.has(row.dataset.key));
      here.replaceWith(node);
      node.scrollTop = top;
      [...node.querySelectorAll(".scroll")].forEach((box, i) => { if (scrolls[i]) [box.scrollLeft, box.scrollTop] = scrolls[i]; });
    }
    ages();
  };

  const apply = () => {
    if (!pending) return;
    const next = pending;
    pending = null;
    swap(next, true);
    status();
  };

  const refresh = async () => {
    if (fetching || latest === null || latest === shown || document.hidden) return;
    const wait = lastFetch + THROTTLE_MS - Date.now();
    if (wait > 0) { setTimeout(refresh, wait); return; }
    fetching = true;
    lastFetch = Date.now();
    try {
      const answer = await fetch(location.href, {
        headers: { "x-marque-live": "1" }, credentials: "same-origin", signal: AbortSignal.timeout(STALE_MS),
      });
      if (answer.ok) {
        pending = new DOMParser().parseFromString(await answer.text(), "text/html");
        shown = Number(pending.body.dataset.revision);
        if (!busy()) apply();
        status();
      }
    } catch {
      // The stream's silence shows it; the next event tries again.
    } finally {
      fetching = false;
      if (latest !== shown) setTimeout(refresh, THROTTLE_MS);
    }
  };

  const listen = () => {
    if (source || !document.querySelector("[data-live]")) return;
    source = new EventSource("/live");
    source.addEventListener("revision", (event) => {
      heard = Date.now();
      const { revision, at } = JSON.parse(event.data);
      heed(at);
      latest = revision;
      refresh();
      status();
    });
    source.onerror = () => {
      heard ||= Date.now();
      status();
      // A refused stream is not tried again by the browser.
      if (source?.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, STALE_MS); }
    };
  };

  const rows = () => [...document.querySelectorAll("a.row-link")];
  const move = (step) => {
    const links = rows();
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1)];
    next?.focus();
  };

  let going = 0;
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      for (const pick of document.querySelectorAll(".pick[open]")) pick.open = false;
      if (document.activeElement !== document.body) document.activeElement.blur();
      return;
    }
    if (event.target.closest?.("input, textarea, select")) return;
    const went = Date.now() - going < 1500;
    going = 0;
    const places = { n: "/", f: "/findings", e: "/elements" };
    if (went && places[event.key]) location.href = places[event.key];
    else if (event.key === "g") going = Date.now();
    else if (event.key === ".") apply();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") {
      const search = document.querySelector(".search input");
      if (search) { search.focus(); event.preventDefault(); } else location.href = "/findings";
    }
  };

  // ── the filter line: what could stand where the cursor is ──
  const completion = () => {
    const field = document.querySelector("input[data-complete]");
    const list = document.getElementById("offers");
    if (!field || !list) return;
    let offers = [], from = 0, to = 0, chosen = -1, asked = null, timer = 0;
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", "offers");
    const close = () => {
      clearTimeout(timer);
      asked?.abort();
      list.hidden = true;
      chosen = -1;
      field.setAttribute("aria-expanded", "false");
      field.removeAttribute("aria-activedescendant");
    };
    const choose = (next) => {
      chosen = next;
      [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === chosen)));
      const item = list.children[chosen];
      if (item) { field.setAttribute("aria-activedescendant", item.id); item.scrollIntoView({ block: "nearest" }); }
      else field.removeAttribute("aria-activedescendant");
    };
    const take = (n) => {
      const behind = field.value.slice(to);
      const insert = behind.startsWith(" ") ? offers[n].insert.trimEnd() + " " : offers[n].insert;
      field.value = field.value.slice(0, from) + insert + (insert.endsWith(" ") ? behind.trimStart() : behind);
      field.setSelectionRange(from + insert.length, from + insert.length);
      close();
      if (!insert.endsWith(" ")) ask();
    };
    const show = () => {
      list.replaceChildren(...offers.map((offer, n) => {
        const item = document.createElement("li");
        item.id = `offer-${n}`;
        item.setAttribute("role", "option");
        item.textContent = offer.insert.trim();
        const note = document.createElement("span");
        note.textContent = offer.note;
        item.append(note);
        item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(n); });
        return item;
      }));
      list.hidden = offers.length === 0;
      field.setAttribute("aria-expanded", String(!list.hidden));
      choose(-1);
    };
    const ask = async () => {
      asked?.abort();
      asked = new AbortController();
      const what = new URLSearchParams({ page: field.dataset.complete, q: field.value, at: String(field.selectionStart) });
      try {
        const answer = await fetch(`/complete?${what}`, { credentials: "same-origin", signal: asked.signal });
        if (!answer.ok) { close(); return; }
        ({ from, to, offers } = await answer.json());
        if (document.activeElement === field) show();
      } catch {
        // Somebody wrote on, or the collector is away: the line works without offers.
      }
    };
    field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 80); });
    field.addEventListener("blur", close);
    field.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" && list.hidden) { ask(); event.preventDefault(); return; }
      if (list.hidden) return;
      if (event.key === "ArrowDown") choose((chosen + 1) % offers.length);
      else if (event.key === "ArrowUp") choose(chosen <= 0 ? offers.length - 1 : chosen - 1);
      else if (event.key === "Escape") close();
      else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(chosen);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  };

  const copying = () => {
    const curl = document.querySelector("input[data-curl]");
    if (curl) curl.value = `curl -fsSOJ '${location.origin}${curl.dataset.curl}'`;
    const link = document.querySelector("input[data-link]");
    const button = document.getElementById("copy-link");
    if (!link || !button) return;
    link.value = location.origin + link.dataset.link;
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(link.value);
      button.textContent = "copied";
    });
  };

  const ready = () => {
    completion();
    copying();
    const button = document.getElementById("theme");
    if (button) {
      const label = () => { button.textContent = `theme: ${stored() ?? "system"}`; };
      button.hidden = false;
      label();
      button.addEventListener("click", () => {
        const next = themes[(themes.indexOf(stored() ?? "system") + 1) % themes.length];
        try { localStorage.setItem("theme", next); } catch { return; }
        setTheme(next);
        label();
      });
    }
    // An empty field filters nothing, so it need not stand in the URL.
    document.querySelector("form.filter")?.addEventListener("submit", (event) => {
      for (const field of event.target.elements) if (field.value === "" && field.name) field.disabled = true;
    });
    document.addEventListener("click", (event) => {
      for (const pick of document.querySelectorAll(".pick[open]")) if (!pick.contains(event.target)) pick.open = false;
    });
    document.addEventListener("pointerover", (event) => {
      const inside = event.target.closest?.("table, .changes, .tree");
      pointed = inside?.closest("[data-live]") ? inside : null;
      if (!pointed && pending && !busy()) apply();
    });
    document.documentElement.addEventListener("pointerleave", () => {
      pointed = null;
      if (pending && !busy()) apply();
    });
    document.addEventListener("keydown", key);
    document.addEventListener("visibilitychange", () => {
      // A hidden page holds no connection: a browser has few for each site.
      if (document.hidden) { source?.close(); source = null; heard = 0; } else listen();
    });
    window.addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
    shown = Number(document.body.dataset.revision);
    heed(document.body.dataset.made);
    ages();
    status();
    setInterval(() => { ages(); status(); }, 1000);
    if (!document.hidden) listen();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready); else ready();
})();
