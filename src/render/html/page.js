"use strict";
// Keeps an open page up to date. Without it the page says the same, and a browser loads it anew now and then.
(() => {
  const body = document.body;

  // Times in the time zone of whoever looks.
  const localize = (root) => {
    for (const time of root.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.valueOf())) continue;
      const clock = { hour: "2-digit", minute: "2-digit" };
      const far = Math.abs(at - Date.now()) > 20 * 3600 * 1000;
      const day = time.classList.contains("clock") && !far ? {} : { year: "numeric", month: "short", day: "numeric" };
      time.title = time.textContent;
      time.textContent = at.toLocaleString([], { ...day, ...clock });
    }
  };

  // A button beside what is to be typed. The clipboard proper wants TLS; a selection can be copied anywhere.
  const buttons = (root) => {
    for (const command of root.querySelectorAll("code.cmd")) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "copy";
      button.setAttribute("aria-label", `copy ${command.textContent}`);
      button.addEventListener("click", () => {
        getSelection().selectAllChildren(command);
        const done = document.execCommand("copy");
        button.textContent = done ? "copied" : "selected";
        if (done) getSelection().removeAllRanges();
      });
      // A word that fits into a line is not taken apart: what is typed has to be read.
      const words = command.textContent.split(/( +)/).map((word) => {
        if (!word.trim()) return word;
        const whole = document.createElement("span");
        whole.textContent = word;
        return whole;
      });
      command.replaceChildren(...words);
      // The button stays beside it, wherever there is room for both.
      const both = document.createElement("span");
      both.className = "both";
      command.replaceWith(both);
      both.append(command, button);
    }
  };

  // As the page says it.
  const inWords = (seconds) => {
    const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    if (d) return h ? `${d} d ${h} h` : `${d} d`;
    if (h) return m ? `${h} h ${m} min` : `${h} h`;
    return m ? `${m} min` : `${seconds} s`;
  };
  // What only counts on is not sent: it counts here.
  const born = new WeakMap();
  const ages = (root) => {
    for (const age of root.querySelectorAll("[data-age]")) born.set(age, Date.now() - 1000 * age.dataset.age);
  };
  const count = () => {
    if (document.hidden) return;
    for (const age of document.querySelectorAll("[data-age]")) {
      if (!born.has(age)) continue;
      const seconds = Math.max(0, Math.floor((Date.now() - born.get(age)) / 1000));
      if (age.dataset.of !== undefined) {
        age.setAttribute("width", Math.min(1000, Math.floor(1000 * seconds / Math.max(1, age.dataset.of))));
      } else if (age.textContent !== inWords(seconds)) {
        age.textContent = inWords(seconds);
      }
    }
  };

  const dress = (root) => {
    localize(root);
    ages(root);
    buttons(root);
  };

  // What is opened, focused or selected in a part stays so.
  const put = (part, html) => {
    const chosen = getSelection();
    if (!chosen.isCollapsed && part.contains(chosen.anchorNode)) return false;
    const opened = new Set([...part.querySelectorAll("details[open]")].map((one) => one.dataset.key));
    const able = () => [...part.querySelectorAll("a, button, summary, [tabindex]")];
    const focused = able().indexOf(document.activeElement);
    part.innerHTML = html;
    dress(part);
    for (const one of part.querySelectorAll("details")) one.open = opened.has(one.dataset.key);
    if (focused >= 0) able()[focused]?.focus({ preventScroll: true });
    return true;
  };

  const waiting = new Map();
  const show = (page) => {
    document.title = page.title;
    if (body.dataset.tone !== page.tone) {
      body.dataset.tone = page.tone;
      document.querySelector("link[rel=icon]").href = `/icon.svg?${page.tone}`;
    }
    for (const [id, html] of Object.entries(page.parts)) waiting.set(id, html);
    for (const [id, html] of waiting) {
      const part = document.getElementById(id);
      if (!part || put(part, html)) waiting.delete(id);
    }
    if (body.dataset.key !== page.key) {
      body.dataset.key = page.key;
      document.getElementById("said").textContent = document.querySelector("h1")?.textContent ?? "";
    }
  };

  let source;
  const follow = () => {
    if (source || document.hidden) return;
    source = new EventSource(body.dataset.live);
    const lost = document.getElementById("lost");
    source.addEventListener("open", () => { lost.hidden = true; });
    source.addEventListener("page", (event) => show(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      lost.hidden = false;
      if (source?.readyState === EventSource.CLOSED) {
        source = undefined;
        setTimeout(follow, 60000);
      }
    });
  };
  // What nobody sees need not be followed.
  const rest = () => {
    if (document.hidden) {
      source?.close();
      source = undefined;
    } else {
      follow();
    }
  };

  // A search that answers as one types; the form itself does the same.
  const search = (form) => {
    const input = form.querySelector("input");
    let timer;
    let asked = 0;
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const number = ++asked;
        const url = `${form.action}?q=${encodeURIComponent(input.value)}`;
        const answer = await fetch(url, { headers: { Accept: "text/html" } });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const found = page.getElementById(form.dataset.into);
        // Of answers that overtake each other the last question counts.
        if (!found || number !== asked) return;
        document.getElementById(form.dataset.into).innerHTML = found.innerHTML;
        history.replaceState(null, "", url);
        document.getElementById("said").textContent = found.querySelector("p")?.textContent ?? "";
      }, 120);
    });
  };

  dress(document);
  setInterval(count, 1000);
  for (const form of document.querySelectorAll("form.search")) search(form);
  if (body.dataset.live && window.EventSource) {
    document.addEventListener("visibilitychange", rest);
    follow();
  }
})();
