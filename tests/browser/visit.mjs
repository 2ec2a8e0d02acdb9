// Visits the page with a real browser and tells what it meets, a line of JSON each.
//
//     node visit.mjs ADDRESS CHROMIUM PICTURES
//
// Whatever the browser complains of, or axe-core finds to be a serious barrier, is a "fault". "wait" asks the other side
// to have something happen, while the page is open.

import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, executablePath, pictures] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve("axe-core");
const tell = (what) => console.log(JSON.stringify(what));

const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 } },
};
const PLACES = {
  overview: "",
  files: "files",
  filtered: "files?project=fly&state=FAILED",
  "file-done": "file?name=fly%2Fa.h5",
  "file-failed": "file?name=fly%2Fb.h5",
  project: "project?project=fly",
  backfill: "backfill?project=fly",
  absent: "file?name=fly%2Fnone.h5",
};

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });

async function open(look, more = {}) {
  const context = await browser.newContext({ ...LOOKS[look], ...more });
  const page = await context.newPage();
  const fault = (kind, text) => tell({ fault: kind, text, at: page.url(), look });
  page.on("console", (said) => {
    if (said.type() === "error" && !/status of 404/.test(said.text())) fault("console", said.text());
  });
  page.on("pageerror", (error) => fault("script", String(error)));
  page.on("requestfailed", (request) => fault("request", `${request.url()}: ${request.failure()?.errorText}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(address)) fault("another host", request.url());
  });
  return page;
}

async function look(page, name, kind) {
  // axe-core is put in by the driver, past the page's own policy.
  await page.evaluate(await (await import("node:fs/promises")).readFile(axe, "utf8"));
  const found = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  for (const one of found.violations) {
    const where = one.nodes.map((node) => node.target.join(" ")).slice(0, 3);
    if (["serious", "critical"].includes(one.impact)) tell({ fault: one.id, text: one.help, at: name, look: kind, where });
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) tell({ fault: "too wide", text: `by ${wide} pixels`, at: name, look: kind });
  await page.screenshot({ path: `${pictures}/${name}-${kind}.png`, fullPage: true });
}

for (const kind of Object.keys(LOOKS)) {
  const page = await open(kind);
  for (const [name, place] of Object.entries(PLACES)) {
    await page.goto(`${address}/page/${place}`);
    await look(page, name, kind);
    tell({ seen: name, look: kind, title: await page.title() });
  }
  await page.context().close();
}

// Everything is read and steered without a script.
const plain = await open("light", { javaScriptEnabled: false });
await plain.goto(`${address}/page/files?project=fly`);
tell({ plain: await plain.locator("ul.files > li").count() });

// By keyboard: the first key leads past the navigation.
const page = await open("light");
await page.goto(`${address}/page/files?project=fly`);
await page.keyboard.press("Tab");
tell({ first: await page.evaluate(() => document.activeElement.getAttribute("href")) });

// Two failed ones are chosen and run again, which is asked first.
for (const name of ["fly/b.h5", "fly/c.h5"]) await page.getByRole("checkbox", { name: `Choose ${name}` }).check();
await page.getByRole("button", { name: "Run again" }).click();
tell({ asked: await page.locator("main p").first().innerText() });
await page.getByRole("button", { name: "Yes" }).click();
tell({ done: await page.locator("main").innerText() });

// What changes is seen while the page is open.
await page.goto(`${address}/page/file?name=fly%2Fd.h5`);
const before = await page.locator(".state").first().innerText();
tell({ wait: "fly/d.h5" });
await page.waitForFunction((was) => document.querySelector(".state").innerText !== was, before, { timeout: 15000 });
tell({ live: [before, await page.locator(".state").first().innerText()] });

await browser.close();
