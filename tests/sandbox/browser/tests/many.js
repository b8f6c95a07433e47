// Ten thousand conversations scroll as ten do.

import assert from "node:assert/strict";
import { open, picture, test } from "../test.js";

test("ten thousand conversations still scroll", async ({ page, sandbox }) => {
  await sandbox.sendMany(10_000);
  const start = Date.now();
  await open(page, sandbox);
  await page.waitForFunction(() => document.getElementById("count-inbox").textContent === "10,000");
  const loaded = Date.now() - start;
  // Scrolls through the whole list in 200 steps, a step a frame, and counts the frames that came late.
  const frames = await page.locator("#list").evaluate((list) => new Promise((done) => {
    const times = [];
    let step = 0;
    let last = performance.now();
    const next = (now) => {
      times.push(now - last);
      last = now;
      list.scrollTop = (list.scrollHeight - list.clientHeight) * (++step / 200);
      if (step < 200) requestAnimationFrame(next);
      else requestAnimationFrame(() => done(times.slice(2)));
    };
    requestAnimationFrame(next);
  }));
  frames.sort((a, b) => a - b);
  const [median, slowest] = [frames[frames.length >> 1], frames.at(-1)];
  console.log(`        loaded in ${loaded} ms; a frame took ${median.toFixed(1)} ms in the median, ${slowest.toFixed(1)} ms at most`);
  assert.ok(median < 40, `a frame took ${median} ms in the median`);
  const rows = await page.getByRole("option").count();
  assert.ok(rows > 5 && rows < 60, `${rows} rows exist`);
  const last = page.getByRole("option").last();
  assert.equal(await last.getAttribute("aria-posinset"), "10000");
  assert.equal(await last.getAttribute("aria-setsize"), "10000");
  await picture(page, "many");
});

test("a search finds one of ten thousand", async ({ page, sandbox }) => {
  await sandbox.sendMany(10_000);
  await open(page, sandbox);
  await page.waitForFunction(() => document.getElementById("count-inbox").textContent === "10,000");
  await page.getByRole("searchbox").fill("message 7777");
  await page.waitForFunction(() => document.querySelectorAll(".row").length === 1);
  assert.match(await page.getByRole("option").innerText(), /7777/);
  await sandbox.send("something else");
  await sandbox.send("message 7777 again");
  await page.waitForFunction(() => document.querySelectorAll(".row").length === 2);
});
