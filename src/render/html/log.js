"use strict";
// Follows a log, and brings what is before and after as somebody scrolls there. Without it the same are links.
(() => {
  const log = document.getElementById("log");
  if (!log) return;
  const MOST = 20000; // Lines in the page at a time.
  let from = Number(log.dataset.from);
  let next = Number(log.dataset.next);
  let more = log.dataset.more !== undefined;
  let busy = false;

  const bottom = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 40;
  const part = async (query) => {
    const answer = await fetch(`?part&${query}`, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.json();
  };
  const shorten = (first) => {
    while (log.childElementCount > MOST) (first ? log.firstElementChild : log.lastElementChild).remove();
  };

  // The link is still there, for whoever wants to try again.
  const failed = (link) => {
    setTimeout(() => { busy = false; }, 5000);
    link?.classList.add("bad");
  };

  const earlier = document.getElementById("earlier");
  const before = async () => {
    if (busy || from === 0) return;
    busy = true;
    try {
      const got = await part(`to=${from}`);
      const height = document.documentElement.scrollHeight;
      log.insertAdjacentHTML("afterbegin", got.html);
      // What somebody reads stays where it is.
      scrollBy(0, document.documentElement.scrollHeight - height);
      from = got.from;
      if (from === 0) earlier?.remove();
      else if (earlier) earlier.href = `?to=${from}`;
    } catch { return failed(earlier); }
    busy = false;
  };
  const later = document.getElementById("later");
  const after = async () => {
    if (busy || !more) return;
    busy = true;
    try {
      const got = await part(`from=${next}`);
      log.insertAdjacentHTML("beforeend", got.html);
      next = got.next;
      more = got.more;
      if (!more) later?.remove();
      else if (later) later.href = `?at=${next}`;
    } catch { return failed(later); }
    busy = false;
    if (!more) begin();
  };
  // Whoever comes near an end is brought more, as long as it is near.
  const NEAR = 500;
  const check = () => {
    if (busy) return;
    const place = (link) => link?.isConnected ? link.getBoundingClientRect() : undefined;
    const [top, end] = [place(earlier), place(later)];
    if (end && end.top < innerHeight + NEAR) after().then(() => requestAnimationFrame(check));
    else if (top && top.bottom > -NEAR) before().then(() => requestAnimationFrame(check));
  };
  for (const [link, bring] of [[earlier, before], [later, after]]) {
    link?.addEventListener("click", (event) => { event.preventDefault(); bring(); });
  }

  // Whoever scrolls up wants to read: what comes is added below, and the page stays.
  let following = false;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "follow";
  button.hidden = true;
  const show = () => {
    button.textContent = following ? "following" : "follow";
    button.setAttribute("aria-pressed", String(following));
  };
  const follow = (on) => {
    following = on;
    if (on) scrollTo(0, document.documentElement.scrollHeight);
    show();
  };
  button.addEventListener("click", () => follow(!following));
  document.querySelector(".ways")?.append(button);
  let last = scrollY;
  addEventListener("scroll", () => {
    if (following && scrollY < last - 4) follow(false);
    else if (!following && source && bottom()) follow(true);
    last = scrollY;
    check();
  }, { passive: true });

  let source;
  function begin() {
    if (source || log.dataset.written === undefined || !window.EventSource) return;
    button.hidden = false;
    follow(!location.hash && (bottom() || !location.search));
    source = new EventSource(`?follow=${next}`);
    source.addEventListener("lines", (event) => {
      const got = JSON.parse(event.data);
      // After a pause of the connection it begins again where it began.
      if (got.next <= next) return;
      log.insertAdjacentHTML("beforeend", got.html);
      next = got.next;
      if (following) {
        shorten(true);
        scrollTo(0, document.documentElement.scrollHeight);
      }
    });
    source.addEventListener("over", () => {
      source.close();
      button.hidden = true;
      const state = document.getElementById("size");
      if (state) state.textContent = "it is whole now";
    });
  }

  // The end of a log is its last line.
  if (!location.search && !location.hash) scrollTo(0, document.documentElement.scrollHeight);
  last = scrollY;
  // Once the browser has gone to the line of the address.
  if (document.readyState === "complete") check();
  else addEventListener("load", () => requestAnimationFrame(check));
  if (!more) begin();
})();
