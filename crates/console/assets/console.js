// The console's one script. Every page works without it; with it, an open page is kept up to date, countdowns run by the
// broker's clock, and a page that has lost touch says so.
"use strict";

(() => {
  const body = document.body;
  document.documentElement.classList.add("js");

  // The broker's time. The browser's clock may be wrong and may be set at any moment, so that it is never asked.
  let base = Date.parse(body.dataset.now) - performance.now();
  const now = () => base + performance.now();

  // As page/words.rs says a length of time.
  const length = (milliseconds) => {
    const whole = Math.floor(Math.abs(milliseconds) / 1000);
    const two = (a, aWord, b, bWord) => (b === 0 ? `${a} ${aWord}` : `${a} ${aWord} ${b} ${bWord}`);
    if (whole === 0) return "under a second";
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
    if (whole < 86400) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
    return two(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
  };

  const count = () => {
    for (const one of document.querySelectorAll("[data-countdown]")) {
      const left = Date.parse(one.dataset.countdown) - now();
      const words = (left <= 0 ? one.dataset.after : one.dataset.before) + length(left);
      if (one.textContent !== words) one.textContent = words;
      if ("overdue" in one.dataset) one.classList.toggle("overdue", left <= 0);
    }
  };
  setInterval(count, 1000);
  count();

  // Copies the words of another element.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    const from = button && document.getElementById(button.dataset.copy);
    if (!from) return;
    try {
      await navigator.clipboard.writeText(from.textContent);
    } catch {
      getSelection().selectAllChildren(from);
      if (!document.execCommand("copy")) return;
    }
    const before = button.textContent;
    button.textContent = "Copied";
    say("copy", "Copied");
    setTimeout(() => { button.textContent = before; }, 3000);
  });

  // Tells a screen reader, at most once in some seconds, and of each thing only the newest.
  const announce = document.getElementById("announce");
  const unsaid = new Map();
  let saying = 0;
  const say = (about, words) => {
    unsaid.set(about, words);
    saying ||= setTimeout(() => {
      announce.textContent = [...unsaid.values()].join(". ");
      unsaid.clear();
      saying = 0;
    }, 1500);
  };

  const url = body.dataset.live;
  if (!url || !window.EventSource) return;

  // What has the focus, or was opened, stays so in the piece that takes its place.
  const controls = "a, button, input, select, textarea, summary";
  const keep = (old, piece) => {
    const whose = (details) => details.closest("[id]")?.id;
    const open = new Set([...old.querySelectorAll("details[open]")].map(whose));
    for (const details of piece.querySelectorAll("details")) details.open = open.has(whose(details));
    const focused = old.contains(document.activeElement) ? [...old.querySelectorAll(controls)].indexOf(document.activeElement) : -1;
    return () => { if (focused >= 0) piece.querySelectorAll(controls)[focused]?.focus({ preventScroll: true }); };
  };

  const place = (piece) => {
    const old = document.getElementById(piece.id);
    if (piece.dataset.announce && piece.dataset.announce !== old?.dataset.announce) say(piece.id, piece.dataset.announce);
    if (old) {
      const refocus = keep(old, piece);
      old.replaceWith(piece);
      refocus();
    } else if (piece.dataset.into) {
      document.getElementById(piece.dataset.into)?.prepend(piece);
    }
    if (piece.localName === "li") {
      piece.classList.add("fresh");
      setTimeout(() => piece.classList.remove("fresh"), 3000);
    }
  };

  const touch = document.getElementById("touch");
  const touchWords = touch.querySelector("p");
  const failing = document.getElementById("failing");
  const failingWords = failing?.querySelector("span");
  let deaf = touchWords.textContent;
  let heard = performance.now();
  const lostWords = (since) =>
    `This page lost touch with the console ${length(since)} ago. What it shows may be out of date: no news is not good news. ` +
    "Use the telephone until this message has gone.";
  const warn = () => {
    const silence = performance.now() - heard;
    const lost = silence > 6000 && !document.hidden;
    // Told to screen readers once, not every second.
    if (lost && touch.dataset.lost) return;
    const words = lost ? lostWords(silence) : deaf;
    if (lost) touch.dataset.lost = "yes"; else delete touch.dataset.lost;
    if (touchWords.textContent !== words) touchWords.textContent = words;
    touch.hidden = words === "";
  };
  setInterval(warn, 1000);

  let last = new URL(url, location).searchParams.get("since") ?? "0";
  let source = null;
  let again = 0;
  let opened = 0;
  const close = () => {
    source?.close();
    source = null;
    clearTimeout(again);
  };
  const open = () => {
    close();
    opened = performance.now();
    const from = new URL(url, location);
    from.searchParams.set("since", last);
    source = new EventSource(from);
    source.addEventListener("beat", (event) => {
      const beat = JSON.parse(event.data);
      heard = performance.now();
      base = Date.parse(beat.now) - heard;
      deaf = beat.deaf;
      if (failing && failingWords.textContent !== beat.failing) failingWords.textContent = beat.failing;
      if (failing) failing.hidden = beat.failing === "";
      warn();
    });
    source.addEventListener("patch", (event) => {
      last = event.lastEventId;
      const pieces = document.createElement("template");
      pieces.innerHTML = event.data;
      for (const piece of [...pieces.content.children]) place(piece);
      count();
    });
    source.addEventListener("reload", () => location.reload());
    // A browser gives up on an answer that is no stream: a console that restarts, or a session that has ended.
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) {
        clearTimeout(again);
        again = setTimeout(ask, 2000 + Math.random() * 2000);
      }
    });
  };
  // A page of somebody who may not see it any more goes to where they can sign in.
  const ask = async () => {
    try {
      const answer = await fetch(location, { method: "HEAD", redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 401) return location.reload();
    } catch {
      // The console is away: it is tried again like any other break.
    }
    open();
  };

  // A connection can be dead without an end: a network that changed, a console that hangs. Nothing tells the browser.
  setInterval(() => {
    if (source && !document.hidden && performance.now() - Math.max(heard, opened) > 10000) open();
  }, 1000);

  // A browser has few connections to one place, so a page that nobody sees gives its own back.
  let hidden = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) {
      hidden = setTimeout(close, 10000);
    } else if (!source) {
      heard = performance.now();
      open();
    }
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  window.addEventListener("pagehide", close);
  open();
})();

// A draft on its way is kept in this browser until it was sent, so that a reload does not lose it. Whoever signs out takes
// theirs along.
(() => {
  const prefix = "tocsin-draft:";
  const stored = (work) => {
    try {
      return work(localStorage);
    } catch {
      return null; // No room, or not allowed: the pages carry the draft all the same.
    }
  };
  const forget = (ending) => stored((store) => {
    for (const key of Object.keys(store)) {
      if (key.startsWith(prefix) && key.endsWith(ending)) store.removeItem(key);
    }
  });
  const sent = new URLSearchParams(location.search).get("sent");
  if (sent) forget(":" + sent);
  document.querySelector('form[action="/sign-out"]')?.addEventListener("submit", () => forget(""));

  const form = document.querySelector("form[data-draft]");
  if (form) {
    const key = prefix + form.dataset.draft;
    const fields = () => [...form.elements].filter((one) => one.name && one.type !== "hidden" && one.type !== "submit");
    const isOn = (one) => one.type === "radio" || one.type === "checkbox";
    const read = () => fields().filter((one) => !isOn(one) || one.checked).map((one) => [one.name, one.value]);
    const fresh = JSON.stringify(read());
    const kept = stored((store) => JSON.parse(store.getItem(key)));
    // What the console has sent filled in is newer than what is kept.
    if (kept && !("filled" in form.dataset)) {
      for (const one of fields()) {
        const mine = kept.filter(([name]) => name === one.name).map(([, value]) => value);
        if (isOn(one)) one.checked = mine.includes(one.value);
        else if (mine.length) one.value = mine[0];
        if (one.checked || (mine.length && mine[0])) one.closest("details")?.setAttribute("open", "");
      }
      const note = document.createElement("div");
      note.className = "notice";
      const words = document.createElement("p");
      words.textContent = "This is what you began in this browser before and did not send. ";
      const empty = document.createElement("button");
      empty.type = "button";
      empty.className = "link";
      empty.textContent = "Begin empty instead";
      empty.addEventListener("click", () => {
        stored((store) => store.removeItem(key));
        form.reset();
        note.remove();
      });
      words.append(empty);
      note.append(words);
      form.before(note);
    }
    const keep = () => stored((store) => {
      const now = JSON.stringify(read());
      if (now === fresh) store.removeItem(key);
      else store.setItem(key, now);
    });
    form.addEventListener("input", keep);
    form.addEventListener("change", keep);
  }

  // One click sends once. The console takes a second one for the same event in any case.
  document.querySelector("form[data-sends]")?.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
})();
