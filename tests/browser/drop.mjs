// Drops files on the page with a real browser, and follows one of them.
//
//     node drop.mjs ADDRESS CHROMIUM PICTURES
//
// "wait" asks the other side to have something happen: "begin" and "finish" of a file.

import { address, browser, look, LOOKS, open, tell } from "./browser.mjs";

const HOSTILE = "<img src=x onerror=document.title='taken'>.h5";
const BLOCK = 8 * 2 ** 20;
// The driver itself breaks connections.
const page = await open("light", {}, /net::ERR_FAILED|drop\/block/);
const file = (name, bytes, byte = 7) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.alloc(bytes, byte) });
const blocks = [];
page.on("request", (request) => {
  if (request.url().includes("/drop/block")) blocks.push(new URL(request.url()).searchParams.get("number"));
});

await page.goto(`${address}/page/drop?project=fly`);
const state = (number) => page.locator("#sent > li").nth(number).locator("p").nth(1);
const ended = (number) => page.locator("#sent > li").nth(number).locator(".state").first().waitFor();

// Two at once by the button: one that is taken, one that is not.
await page.getByLabel("Folder in the project").fill("plate 1");
await page.getByLabel("Drop images here").setInputFiles([file(HOSTILE, 1000), file("notes.docx", 10)]);
await ended(1);
tell({ button: [await state(0).innerText(), await state(1).innerText()] });

// By dragging, from a file manager: the same event with the same data.
await page.getByLabel("Folder in the project").fill("");
const transfer = await page.evaluateHandle(() => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(500)], "dragged.h5", { lastModified: 1 }));
  return data;
});
await page.dispatchEvent(".target", "drop", { dataTransfer: transfer });
await ended(2);
tell({ dragged: await state(2).innerText() });

// A connection that breaks in the middle: dropped again, the file goes on where it was.
const big = () => page.evaluate((bytes) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes).fill(9)], "big.h5", { lastModified: 2 }));
  const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(".target").dispatchEvent(event);
}, BLOCK + 100);
await page.route(/drop\/block.*number=1/, (route) => route.abort());
blocks.length = 0;
await big();
await ended(3);
tell({ broken: await state(3).innerText(), tries: blocks.filter((number) => number === "1").length });
await page.unroute(/drop\/block.*number=1/);
blocks.length = 0;
await big();
await ended(4);
tell({ resumed: await state(4).innerText(), sent: [...blocks] });
await big();
await ended(5);
tell({ again: await state(5).innerText(), title: await page.title() });
for (const kind of Object.keys(LOOKS)) {
  await page.setViewportSize(LOOKS[kind].viewport);
  await page.emulateMedia({ colorScheme: LOOKS[kind].colorScheme });
  await look(page, "dropped", kind);
}

// It goes its way, and is seen to.
await page.setViewportSize(LOOKS.light.viewport);
tell({ wait: "begin" });
await page.locator("#sent > li").nth(4).getByRole("link").click();
const seen = page.locator(".state").first();
await page.waitForFunction(() => document.querySelector(".state")?.innerText === "Waiting for a machine");
const states = [await seen.innerText()];
tell({ wait: "finish" });
await page.waitForFunction(() => document.querySelector(".state").innerText === "Done", null, { timeout: 15000 });
states.push(await seen.innerText());
const overlay = page.getByAltText(/^Result over the image: /);
await overlay.waitFor();
const width = await overlay.evaluate(async (image) => { await image.decode(); return image.naturalWidth; });
tell({ states, overlay: width, counts: await page.locator("section[aria-labelledby=objects] table").innerText() });

// A thousand that failed are run again at once.
await page.goto(`${address}/page/files?prefix=fly/many/&state=FAILED`);
await page.getByRole("button", { name: "Run all of these again" }).click();
tell({ asked: await page.locator("main p").first().innerText() });
await page.getByRole("button", { name: "Yes" }).click();
tell({ bulk: await page.locator("main").innerText() });
await browser.close();
