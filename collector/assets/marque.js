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

  const zones = ["UTC", "site", "browser"];
  const zoneStored = () => {
    try { const zone = localStorage.getItem("zone"); return zones.includes(zone) ? zone : "UTC"; } catch { return "UTC"; }
  };
  const formats = new Map();
  // A moment as people of the chosen zone read it. A site without a declared zone is told in UTC, and it is said.
  const absolute = (iso, where) => {
    const at = new Date(iso);
    if (Number.isNaN(at.getTime())) return "";
    const chosen = zoneStored();
    const declared = where?.closest("[data-zone]")?.dataset.zone;
    const zone = chosen === "browser" ? undefined : chosen === "site" && declared ? declared : "UTC";
    try {
      if (!formats.has(zone)) {
        formats.set(zone, new Intl.DateTimeFormat("en-GB", {
          timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
          hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
        }));
      }
    } catch { return absoluteUtc(at); }
    const part = Object.fromEntries(formats.get(zone).formatToParts(at).map(({ type, value }) => [type, value]));
    const name = chosen === "site" && !declared ? "UTC, no zone declared for the site" : part.timeZoneName;
    return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second} ${name}`;
  };
  const absoluteUtc = (at) => at.toISOString().replace("T", " ").slice(0, 19) + " UTC";

  const STALE_MS = 15000;   // three beats of the stream
  const THROTTLE_MS = 1000; // at most one refresh a second
  let heard = 0;            // when the stream last spoke, or when it was last asked to
  let spoke = false;        // whether it has since
  let paused = false;       // the reader wants nothing to move
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
    const server = Date.now() + ahead;
    for (const time of document.querySelectorAll("time[datetime]")) {
      // On a day that is over ages are told as they were at its end.
      const then = Date.parse(time.closest("[data-then]")?.dataset.then);
      const now = Number.isNaN(then) ? server : then;
      const seconds = Math.floor((now - Date.parse(time.dateTime)) / 1000);
      if (Number.isNaN(seconds)) continue;
      const text = seconds === 0 ? "now" : seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`;
      if (time.textContent !== text) time.textContent = text;
      const full = absolute(time.dateTime, time);
      if (time.title !== full) time.title = full;
    }
  };

  // What scrolls can be reached and scrolled by keyboard; what does not scroll is no stop on the way.
  const reach = () => {
    for (const box of document.querySelectorAll(".scroll, .changes")) {
      const clips = getComputedStyle(box).overflowX !== "visible";
      const scrolls = clips && (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight);
      if (scrolls) box.tabIndex = 0; else box.removeAttribute("tabindex");
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
    if (feed.dataset.state !== state) {
      feed.dataset.state = state;
      // Read out once when it turns, not with each second that goes by.
      const turn = { stalled: "the feed has stalled", waiting: "there is something new", live: "live" }[state];
      feed.querySelector(".feed-turn").textContent = turn ?? "";
    }
    const line = feed.querySelector(".feed-text");
    if (line.textContent !== text) line.textContent = text;
  };

  // A page that nothing in it moves: it is fetched anew when its reader says so.
  const still = () => !document.querySelector("[data-live]");

  const status = () => {
    const clock = document.getElementById("clock");
    if (clock) clock.textContent = absolute(Date.now() + ahead, clock);
    if (!heard) return;
    const age = Math.floor((Date.now() - heard) / 1000);
    if (latest === shown || document.hidden || still()) behind = 0;
    else behind ||= Date.now();
    const late = behind ? Date.now() - behind : 0;
    if (late >= STALE_MS && !paused) say("stalled", `old for ${span(Math.floor(late / 1000))}`);
    else if (age * 1000 >= STALE_MS) say("stalled", `stalled for ${span(age)}`);
    else if (!spoke) say("off", "connecting");
    else if (pending) say("waiting", fresh() ? `${fresh()} new, press .` : "changed, press .");
    else if (still() && latest !== shown) say("waiting", "changed since, press .");
    else if (paused) say("off", "paused");
    else say("live", age < 6 ? "live" : `live, ${age} s ago`);
  };

  // ── what people do about rows ──
  const ticks = (within) => [...within.querySelectorAll("td.tick input")];
  let lost = 0; // rows that somebody else changed while they were ticked

  // A row stays ticked while it is as it was when it was ticked; one that moved is to be looked at again.
  const keepTicks = (here, node) => {
    for (const old of ticks(here)) {
      if (!old.checked) continue;
      const row = node.querySelector(`[data-key="${CSS.escape(old.closest("[data-key]").dataset.key)}"]`);
      const box = row?.querySelector("td.tick input");
      if (box && box.value === old.value) box.checked = true;
      else { lost++; row?.classList.add("moved"); }
    }
  };

  const countTicks = () => {
    const boxes = ticks(document);
    const count = boxes.filter((box) => box.checked).length;
    const all = document.getElementById("tick-all");
    if (all) { all.checked = count > 0 && count === boxes.length; all.indeterminate = count > 0 && count < boxes.length; }
    for (const box of boxes) box.closest("tr").classList.toggle("chosen", box.checked);
    const line = document.querySelector("[data-chosen]");
    if (!line) return;
    const changed = lost ? ` · ${lost} changed meanwhile, no longer selected` : "";
    line.textContent = (count === 0 ? "nothing selected, x selects" : `${count} selected`) + changed;
    line.closest(".acts").classList.toggle("ready", count > 0);
  };

  const tick = (box) => { box.checked = !box.checked; lost = 0; countTicks(); };

  // The row under the focus, and what is acted on: what is ticked, or that row.
  const current = () => document.activeElement?.closest?.("[data-key]");
  const aim = () => {
    if (document.querySelector(".acts-one") || ticks(document).some((box) => box.checked)) return true;
    const box = current()?.querySelector("td.tick input");
    if (box) tick(box);
    return Boolean(box);
  };
  const press = (act) => {
    const button = document.querySelector(`#acts button[value="${act}"]`);
    if (button && aim()) button.click();
  };
  const open = (id, field) => {
    const part = document.getElementById(id);
    if (!part || !aim()) return;
    part.open = true;
    part.querySelector(field)?.focus();
  };

  const watchActs = () => {
    document.addEventListener("change", (event) => {
      if (event.target.id === "tick-all") for (const box of ticks(document)) box.checked = event.target.checked;
      if (event.target.closest(".tick")) { lost = 0; countTicks(); }
    });
    // Enter in a field presses the button beside it, not the first one of the form.
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || !event.target.matches(".acts input")) return;
      event.preventDefault();
      [...event.target.closest("fieldset").querySelectorAll("button")].at(-1)?.click();
    });
    // With a script the head's box ticks the rows; what is sent are the rows.
    document.addEventListener("submit", (event) => {
      const all = document.getElementById("tick-all");
      if (all && event.target.id === "acts") all.disabled = true;
    });
    // What was told once is not told again by a copied link.
    if (new URLSearchParams(location.search).has("told")) {
      const here = new URL(location.href);
      here.searchParams.delete("told");
      history.replaceState(null, "", here);
    }
    countTicks();
  };

  // ── the keys ──
  const places = {
    n: "/", f: "/findings", e: "/elements", x: "/exposure", d: "/deadlines", p: "/policies", i: "/what-if", s: "/suppliers",
    w: "/waivers", c: "/coverage", a: "/agents", m: "/map", r: "/reports", u: "/audit", t: "/admin",
  };
  const page = (letter) => places[letter] && document.querySelector(`.top nav a[href="${places[letter]}"]`);

  const help = () => {
    const dialog = document.getElementById("keys");
    if (!dialog || dialog.open) return;
    const goes = dialog.querySelector(".goes");
    goes.replaceChildren("go: ", ...Object.keys(places).filter(page).flatMap((letter) => {
      const key = document.createElement("kbd");
      const item = document.createElement("span");
      key.textContent = letter;
      item.append(key, ` ${page(letter).textContent}`);
      return [item, " "];
    }));
    dialog.showModal();
  };

  const watchHelp = () => {
    document.addEventListener("click", (event) => {
      if (event.target.closest?.('a[href="#keys"]')) { event.preventDefault(); help(); }
      const dialog = document.getElementById("keys");
      if (dialog?.open && (event.target === dialog || event.target.closest?.("#keys .close"))) {
        event.preventDefault();
        dialog.close();
      }
    });
  };

  const busy = () => {
    const focus = document.activeElement;
    const typing = focus && focus !== document.body && focus.closest("[data-live]");
    const selecting = String(getSelection() ?? "") !== "";
    return Boolean(paused || typing || selecting || (pointed && pointed.isConnected));
  };

  const swap = (next, marked) => {
    for (const here of document.querySelectorAll("[data-live]")) {
      const there = next.querySelector(`[data-live="${here.dataset.live}"]`);
      if (!there || here.isEqualNode(there)) continue;
      const known = new Set([...here.querySelectorAll("[data-key]")].map((row) => row.dataset.key));
      const open = new Map([...here.querySelectorAll("details[id]")].map((part) => [part.id, part.open]));
      const scrolls = [...here.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
      const top = here.scrollTop;
      const focused = here.contains(document.activeElement) && document.activeElement.closest("[data-key]")?.dataset.key;
      const node = document.adoptNode(there);
      keepTicks(here, node);
      for (const part of node.querySelectorAll("details[id]")) if (open.has(part.id)) part.open = open.get(part.id);
      if (marked) for (const row of node.querySelectorAll("[data-key]")) row.classList.toggle("fresh", !known.has(row.dataset.key));
      here.replaceWith(node);
      if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"] .row-link`)?.focus({ preventScroll: true });
      node.scrollTop = top;
      place();
      [...node.querySelectorAll(".scroll")].forEach((box, i) => { if (scrolls[i]) [box.scrollLeft, box.scrollTop] = scrolls[i]; });
    }
    ages();
    reach();
    countTicks();
  };

  const apply = () => {
    if (!pending) {
      if (still() && heard && latest !== shown) location.reload();
      return;
    }
    const next = pending;
    pending = null;
    swap(next, true);
    status();
  };

  const refresh = async () => {
    if (fetching || latest === null || latest === shown || document.hidden || still()) return;
    const wait = lastFetch + THROTTLE_MS - Date.now();
    if (wait > 0) { setTimeout(refresh, wait); return; }
    fetching = true;
    lastFetch = Date.now();
    try {
      const answer = await fetch(location.href, {
        headers: { "x-marque-live": "1" }, credentials: "same-origin", signal: AbortSignal.timeout(STALE_MS),
      });
      // Whoever is signed out meanwhile is led to the door.
      if (answer.redirected) { location.assign(answer.url); return; }
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
    // A page of a past day does not change.
    if (source || !(document.getElementById("feed") || document.querySelector("[data-live]")) || document.body.dataset.past !== undefined) return;
    source = new EventSource("/live");
    [heard, spoke] = [Date.now(), false];
    source.addEventListener("revision", (event) => {
      [heard, spoke] = [Date.now(), true];
      const { revision, at } = JSON.parse(event.data);
      heed(at);
      latest = revision;
      refresh();
      status();
    });
    source.onerror = () => {
      status();
      // A refused stream is not tried again by the browser.
      if (source?.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, STALE_MS); }
    };
  };

  const rows = () => [...document.querySelectorAll("a.row-link")];
  const move = (step) => {
    const links = rows();
    const at = links.indexOf(current()?.querySelector("a.row-link") ?? document.activeElement);
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1)];
    next?.focus();
  };

  // A wall shows one of its boards at a time; whoever asked for less motion gets all of them at once.
  const TURN_MS = 12000;
  const rotate = () => {
    const board = document.getElementById("rotation");
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    if (!board) return;
    const boards = [...board.children];
    const turn = document.getElementById("turn");
    let at = 0;
    const show = () => {
      board.classList.toggle("rotating", !calm.matches);
      boards.forEach((one, i) => { if (i === at || i === (at + 1) % boards.length) one.dataset.shown = ""; else delete one.dataset.shown; });
      turn.textContent = calm.matches ? "" : `${at + 1}–${(at + 1) % boards.length + 1} of ${boards.length}`;
      reach();
    };
    show();
    calm.addEventListener("change", show);
    setInterval(() => { if (!calm.matches && !paused && !document.hidden) { at = (at + 1) % boards.length; show(); } }, TURN_MS);
  };

  const letters = () => { try { return localStorage.getItem("keys") !== "off"; } catch { return true; } };
  let going = -Infinity; // when g was hit: by the browser's time of the key, not by when a busy page came to it
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      for (const pick of document.querySelectorAll(".pick[open]")) pick.open = false;
      if (document.activeElement !== document.body && !document.activeElement.closest("dialog")) document.activeElement.blur();
      return;
    }
    if (!letters()) return;
    // A dialog that has just closed keeps the focus until the next frame is drawn.
    if (event.target.closest?.('input:not([type="checkbox"]), textarea, select, dialog[open], .acts fieldset')) return;
    const went = event.timeStamp - going < 1500;
    going = -Infinity;
    if (went && page(event.key)) page(event.key).click();
    else if (event.key === "g") going = event.timeStamp;
    else if (event.key === ".") apply();
    else if (event.key === "?") help();
    else if (event.key === "x") { const box = current()?.querySelector("td.tick input"); if (box) tick(box); }
    else if (event.key === "a") press("acknowledge");
    else if (event.key === "s") { open("act-assign", "input"); event.preventDefault(); }
    else if (event.key === "w") { open("act-waive", "textarea"); event.preventDefault(); }
    else if (event.key === "c") { open("act-comment", "textarea"); event.preventDefault(); }
    else if (event.key === "p") { open("act-plan", "input"); event.preventDefault(); }
    else if (event.key === "v") press("approve");
    else if (event.key === "e") {
      const link = current()?.querySelector("a.row-link");
      if (link) location.href = `${link.href.split("#")[0]}#evidence`;
      else if (document.getElementById("evidence")) location.hash = "evidence";
    }
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") {
      const search = document.querySelector(".search input");
      if (search) { search.focus(); event.preventDefault(); } else location.href = "/findings";
    }
  };

  // ── an element's history: the slider over the days on which something changed ──
  root.classList.add("scripted");
  let asked = 0; // counts the days asked for: an answer to an older one is not shown
  const days = (form) => (form.dataset.days ?? "").split(" ").filter(Boolean);
  const slide = (range) => {
    const form = range.form, day = days(form)[Number(range.value)];
    if (!day) return;
    form.elements.asof.value = day;
    range.setAttribute("aria-valuetext", day);
    return day;
  };
  const place = () => {
    for (const range of document.querySelectorAll(".asof input[type=range]")) {
      const all = days(range.form), day = range.form.elements.asof.value;
      if (day && range !== document.activeElement) range.value = Math.max(all.findLastIndex((one) => one <= day), 0);
      range.setAttribute("aria-valuetext", all[Number(range.value)] ?? "");
    }
  };
  const recall = async (range) => {
    const day = slide(range), mine = ++asked;
    if (!day) return;
    const link = new URL(location.href);
    link.searchParams.set("asof", day);
    try {
      const answer = await fetch(link, { credentials: "same-origin", signal: AbortSignal.timeout(STALE_MS) });
      if (!answer.ok || mine !== asked) return;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of ["#as-it-was", ".days"]) {
        const [here, there] = [document.querySelector(part), next.querySelector(part)];
        if (here && there) here.replaceWith(document.adoptNode(there));
      }
      history.replaceState(null, "", link);
    } catch {
      // The form beside it asks the same without a script.
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
    field.setAttribute("aria-expanded", "false");
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
    if (curl) curl.value = `curl -fsSOJ -H "Authorization: Bearer $MARQUE_TOKEN" '${location.origin}${curl.dataset.curl}'`;
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
    place();
    document.addEventListener("input", (event) => { if (event.target.matches?.(".asof input[type=range]")) slide(event.target); });
    document.addEventListener("change", (event) => { if (event.target.matches?.(".asof input[type=range]")) recall(event.target); });
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
    const switched = document.getElementById("keys-on");
    if (switched) {
      switched.closest("label").hidden = false;
      switched.checked = letters();
      switched.addEventListener("change", () => { try { localStorage.setItem("keys", switched.checked ? "on" : "off"); } catch { /* for this page alone it stays as it was */ } });
    }
    const pause = document.getElementById("pause");
    const hold = () => {
      paused = !paused;
      pause?.setAttribute("aria-pressed", String(paused));
      if (!paused && pending && !busy()) apply();
      status();
    };
    if (pause && !still()) {
      pause.hidden = false;
      pause.addEventListener("click", hold);
    }
    // A wall has no buttons: the space bar holds it.
    if (document.getElementById("rotation")) {
      document.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); hold(); } });
    }
    // A moment in full for whoever has no pointer to rest on it.
    document.addEventListener("click", (event) => {
      const time = event.target.closest?.("time[title]");
      if (time && !time.closest("a, button, summary, label")) time.classList.toggle("in-full");
    });
    const zone = document.getElementById("zone");
    if (zone) {
      const label = () => { zone.textContent = `times: ${zoneStored()}`; zone.title = absolute(Date.now() + ahead, zone); };
      zone.hidden = false;
      label();
      zone.addEventListener("click", () => {
        try { localStorage.setItem("zone", zones[(zones.indexOf(zoneStored()) + 1) % zones.length]); } catch { return; }
        label();
        ages();
        status();
      });
    }
    rotate();
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
    watchActs();
    watchHelp();
    document.addEventListener("visibilitychange", () => {
      // A hidden page holds no connection: nobody looks at it.
      if (document.hidden) { source?.close(); source = null; } else { listen(); status(); }
    });
    window.addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
    shown = Number(document.body.dataset.revision);
    heed(document.body.dataset.made);
    ages();
    reach();
    window.addEventListener("resize", reach);
    status();
    setInterval(() => { ages(); status(); }, 1000);
    if (!document.hidden) listen();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready); else ready();
})();
