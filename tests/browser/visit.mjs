// Visits the page with a real browser and tells what it meets, a line of JSON each.
//
//     node visit.mjs ADDRESS CHROMIUM PICTURES
//
// "wait" asks the other side to have something happen, while the page is open.

import { address, browser, look, LOOKS, open, tell } from "./browser.mjs";

const PLACES = {
  overview: "",
  files: "files",
  filtered: "files?project=fly&state=FAILED",
  "file-done": "file?name=fly%2Fa.h5",
  "file-failed": "file?name=fly%2Fb.h5",
  project: "project?project=fly",
  backfill: "backfill?project=fly",
  drop: "drop?project=fly",
  absent: "file?name=fly%2Fnone.h5",
};

for (const kind of Object.keys(LOOKS)) {
  const page = await open(kind);
  for (const [name, place] of Object.entries(PLACES)) {
    await page.goto(`${address}/page/${place}`);
    await look(page, name, kind);
    tell({ seen: name, look: kind, title: await page.title() });
  }
  await page.context().close();
}

// Image and result lie in one place, with a slider between them; a box drawn over them is written down.
// A download ends the request of its page.
const pair = await open("light", {}, /page\/crop.*ERR_ABORTED/);
await pair.goto(`${address}/page/file?name=fly%2Fa.h5`);
const slider = pair.getByRole("slider");
const clip = () => pair.locator(".stacked img").nth(1).evaluate((image) => image.style.clipPath);
const clips = [await clip()];
await slider.focus();
await pair.keyboard.press("End");
clips.push(await clip());
const area = await pair.locator(".stacked img").first().boundingBox();
await pair.mouse.move(area.x + area.width / 4, area.y + area.height / 2);
await pair.mouse.down();
await pair.mouse.move(area.x + area.width / 2, area.y + area.height / 4, { steps: 3 });
await pair.mouse.up();
const box = await pair.getByLabel("Part").inputValue();
const [taken] = await Promise.all([pair.waitForEvent("download"), pair.getByRole("button", { name: "Cut out" }).click()]);
tell({ clips, box, taken: taken.suggestedFilename() });

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
