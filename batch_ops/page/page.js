// Shows changes within five seconds while the page can be seen, and asks nothing while it is hidden. Without it the
// page is the same, until it is loaded again.
"use strict";

const SOON = 5000, SLOWLY = 60000;
let asking = false;

function isBusy(main) {
  // Nobody's choice or half-written word is taken away.
  return main.contains(document.activeElement) && document.activeElement !== main || main.querySelector("input:checked");
}

async function refresh() {
  const main = document.querySelector("main[data-live]");
  if (!main || asking || document.visibilityState !== "visible" || isBusy(main)) return;
  asking = true;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (!found || isBusy(main)) return;
    if (found.innerHTML !== main.innerHTML) main.replaceWith(found);
  } catch {
    // No answer: the next one comes.
  } finally {
    asking = false;
  }
}

function later() {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  setTimeout(async () => { await refresh(); later(); }, main.dataset.live === "slow" ? SLOWLY : SOON);
}

document.addEventListener("visibilitychange", refresh);
later();
