// A real browser on the page: whatever it complains of, or axe-core finds to be a serious barrier, is told as a "fault".
// What is told is a line of JSON each.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const [address, executablePath, pictures, ...more] = process.argv.slice(2);
export const tell = (what) => console.log(JSON.stringify(what));
export const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 } },
};
export const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core"), "utf8");

// `allowed`: faults whose text is like that are none.
export async function open(look, context = {}, allowed = /(?!)/) {
  const page = await (await browser.newContext({ ...LOOKS[look], ...context })).newPage();
  const fault = (kind, text) => allowed.test(text) || tell({ fault: kind, text, at: page.url(), look });
  page.on("console", (said) => {
    if (said.type() === "error" && !/status of 404/.test(said.text())) fault("console", said.text());
  });
  page.on("pageerror", (error) => fault("script", String(error)));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    // Whoever goes on to another page ends the refresh that the page before has asked for.
    if (why === "net::ERR_ABORTED" && request.resourceType() === "fetch") return;
    fault("request", `${request.url()}: ${why}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(address)) fault("another host", request.url());
  });
  return page;
}

export async function look(page, name, kind) {
  // It is put in by the driver, past the page's own policy.
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  for (const one of found.violations) {
    const where = one.nodes.map((node) => node.target.join(" ")).slice(0, 3);
    if (["serious", "critical"].includes(one.impact)) tell({ fault: one.id, text: one.help, at: name, look: kind, where });
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) tell({ fault: "too wide", text: `by ${wide} pixels`, at: name, look: kind });
  await page.screenshot({ path: `${pictures}/${name}-${kind}.png`, fullPage: true });
}
