// Shows changes within five seconds while the page can be seen, and asks nothing while it is hidden. Without it the
// page is the same, until it is loaded again.
"use strict";

const SOON = 5000, SLOWLY = 60000;
let asking = false, shownAs = document.querySelector("main").innerHTML;

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
    if (found.innerHTML === shownAs) return;
    shownAs = found.innerHTML;
    main.replaceWith(found);
    liven();
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

// Image and result in one place, with a slider between them.
function compare(pair) {
  const [before, after] = pair.querySelectorAll("figure"), below = before.querySelector("img"), above = after.querySelector("img");
  const slider = document.createElement("input"), place = document.createElement("div");
  Object.assign(slider, { type: "range", min: 0, max: 100, value: 50 });
  slider.setAttribute("aria-label", pair.dataset.compare);
  const show = () => { above.style.clipPath = `inset(0 0 0 ${slider.value}%)`; };
  slider.addEventListener("input", show);
  show();
  place.className = "stacked";
  place.append(below, above);
  before.prepend(place);
  before.append(slider);
  before.className = "compared";
  before.querySelector("figcaption").textContent = pair.dataset.compare;
  after.remove();
  return place;
}

// A box drawn over the image, where its picture has the image's own proportions, is written down.
function draw(place, form) {
  const high = Number(form.dataset.height), wide = Number(form.dataset.width), picture = place.querySelector("img");
  const frame = document.createElement("span");
  let from = null;
  const at = (event) => {
    const area = picture.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return [within((event.clientX - area.left) / area.width), within((event.clientY - area.top) / area.height)];
  };
  const fits = () => Math.abs(picture.naturalWidth * high / (picture.naturalHeight * wide) - 1) < 0.02;
  const note = (event) => {
    frame.hidden = false;
    const to = at(event), [left, top] = from.map((value, axis) => Math.min(value, to[axis])), [right, bottom] = from.map((value, axis) => Math.max(value, to[axis]));
    Object.assign(frame.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });
    const ends = (low, up, size) => `${Math.floor(low * size)}:${Math.max(Math.floor(low * size) + 1, Math.ceil(up * size))}`;
    const others = form.elements.box.value.split(",").filter((part) => part.trim() && !/^\s*[xy]=/.test(part));
    form.elements.box.value = [...others, `y=${ends(top, bottom, high)}`, `x=${ends(left, right, wide)}`].join(",");
  };
  frame.className = "frame";
  frame.hidden = true;
  place.append(frame);
  place.addEventListener("pointerdown", (event) => {
    if (!fits()) return;
    event.preventDefault();
    place.setPointerCapture(event.pointerId);
    from = at(event);
  });
  place.addEventListener("pointermove", (event) => { if (from) note(event); });
  place.addEventListener("pointerup", () => { from = null; });
  const hint = document.getElementById("box-hint");
  picture.decode().then(() => { if (fits()) hint.textContent = `${hint.textContent} ${form.dataset.draw}`; }, () => {});
}

function liven() {
  const form = document.getElementById("crop-form");
  document.querySelectorAll("[data-compare]").forEach((pair) => {
    const place = compare(pair);
    if (form && Number(form.dataset.height)) draw(place, form);
  });
}

document.addEventListener("visibilitychange", refresh);
liven();
later();
