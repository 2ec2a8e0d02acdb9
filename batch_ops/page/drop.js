// Sends files in blocks, one file after the other and each block up to five times. What broke off goes on where it was:
// the same file, dropped again, has the same id.
"use strict";

const form = document.getElementById("drop"), list = document.getElementById("sent");
const TRIES = 5, waiting = [];
let busy = false;

const said = (name, ...values) => values.reduce((text, value) => text.replace("{}", value), form.dataset["said" + name.replace(/(^|-)(\w)/g, (_, __, letter) => letter.toUpperCase())]);
const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

class Message extends Error {}

async function idOf(file, name) {
  const text = JSON.stringify([name, file.size, file.lastModified]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest).slice(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// An answer, or what is to be said: what passes is tried again.
async function ask(place, query, options = {}) {
  for (let number = 1; ; number++) {
    let answer = null;
    try {
      answer = await fetch(`${form.dataset.root}${place}?${new URLSearchParams(query)}`, { credentials: "same-origin", redirect: "manual", ...options });
    } catch {
      // The connection broke, or the file can't be read any more.
    }
    if (answer && (answer.ok || answer.status === 409)) return answer;
    if (answer && (answer.type === "opaqueredirect" || answer.status === 401)) throw new Message(said("signed-out"));
    if (answer && answer.status < 500 && answer.status !== 408 && answer.status !== 429) throw new Message(said("refused"));
    if (number === TRIES) throw new Message(said("broken"));
    await pause(2 ** number / 4);
  }
}

async function send(file, name, replaces, tell) {
  const query = { name, length: file.size, upload: await idOf(file, name) };
  const found = await (await ask("/look", query)).json();
  if (found.objection) throw new Message(found.objection);
  if (found.done) return said("same");
  if (found.exists && !replaces) throw new Message(said("exists"));
  const word = form.elements.word.value, block = Number(form.dataset.block), there = new Set(found.staged);
  const megabytes = (file.size / 1e6).toFixed(1);
  for (let number = 0; number * block < file.size; number++) {
    tell(said("sends", Math.floor(100 * number * block / file.size), megabytes), number * block / file.size);
    if (there.has(number)) continue;
    const body = file.slice(number * block, (number + 1) * block);
    try {
      await body.slice(0, 1).arrayBuffer();
    } catch {
      throw new Message(said("cut"));
    }
    const taken = await ask("/block", { ...query, number }, { method: "POST", body, headers: { "X-Page-Word": word, "Content-Type": "application/octet-stream" } });
    if (!taken.ok) throw new Message(said((await taken.json()).why));
  }
  const end = await ask("/finish", query, { method: "POST", body: new URLSearchParams({ word, replaces: replaces ? "1" : "" }) });
  const { why } = await end.json();
  if (why) throw new Message(said(why));
  return said("done");
}

function line(name) {
  const item = document.createElement("li"), inner = document.createElement("div"), what = document.createElement("p");
  const title = document.createElement("p"), bar = document.createElement("progress"), text = document.createElement("bdi");
  title.className = "name";
  text.textContent = name;
  title.append(text);
  bar.setAttribute("aria-label", name);
  bar.value = 0;
  what.textContent = said("waits");
  inner.append(title, what, bar);
  item.append(inner);
  list.append(item);
  list.hidden = false;
  return {
    tell: (words, share) => { what.textContent = words; if (share !== undefined) bar.value = share; },
    end: (words, tone) => {
      what.textContent = words;
      what.className = `state ${tone}`;
      bar.remove();
      if (tone !== "good") return;
      const link = document.createElement("a");
      link.href = `${form.dataset.file}?${new URLSearchParams({ name })}`;
      link.textContent = name;
      text.replaceChildren(link);
    },
  };
}

async function work() {
  if (busy) return;
  busy = true;
  for (let next; (next = waiting.shift());) {
    try {
      next.shown.end(await send(next.file, next.name, next.replaces, next.shown.tell), "good");
    } catch (fault) {
      next.shown.end(fault instanceof Message ? fault.message : said("broken"), "bad");
    }
  }
  busy = false;
}

function take(files) {
  const project = form.elements.project.value.trim();
  if (!project) {
    form.elements.project.setCustomValidity(said("no-project"));
    form.elements.project.reportValidity();
    return;
  }
  const folder = form.elements.folder.value.split("/").map((step) => step.trim()).filter(Boolean);
  for (const file of files) {
    const name = [project, ...folder, file.name].join("/");
    waiting.push({ file, name, replaces: form.elements.replaces.checked, shown: line(name) });
  }
  work();
}

if (form) {
  const target = form.querySelector(".target"), images = document.getElementById("images");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.elements.project.addEventListener("input", () => form.elements.project.setCustomValidity(""));
  images.addEventListener("change", () => { take([...images.files]); images.value = ""; });
  for (const kind of ["dragenter", "dragover"]) {
    target.addEventListener(kind, (event) => { event.preventDefault(); target.classList.add("over"); });
  }
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
  // A file beside the place must not replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  window.addEventListener("beforeunload", (event) => { if (busy) event.preventDefault(); });
}
