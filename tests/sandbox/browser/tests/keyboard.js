// Everything can be done without a mouse.

import assert from "node:assert/strict";
import { message, open, test } from "../test.js";

const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.tagName);
const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor();

test("from the first Tab to a message and back by keys alone", async ({ page, sandbox }) => {
  for (let number = 1; number <= 30; number++) await sandbox.send(`Message ${number}`, { to: String(number) });
  await open(page, sandbox);
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip to the list/);
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "list");
  await page.keyboard.press("ArrowDown");
  await heading(page, "To 30");
  await page.keyboard.press("j");
  await heading(page, "To 29");
  await page.keyboard.press("End");
  await heading(page, "To 1");
  await page.keyboard.press("ArrowUp");
  await heading(page, "To 2");
  await page.keyboard.press("PageUp");
  await page.keyboard.press("Home");
  await heading(page, "To 30");
  await message(page);
  assert.equal(await focused(page), "list");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "detail");
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "list");
});

test("search, lists and faults have keys", async ({ page, sandbox }) => {
  await sandbox.send("Alpha", { to: "1" });
  await sandbox.send("Beta", { to: "2" });
  await open(page, sandbox);
  await page.getByRole("option").nth(1).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("alpha");
  await page.waitForFunction(() => document.querySelectorAll(".row").length === 1);
  await page.keyboard.press("ArrowDown");
  await heading(page, "To 1");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelectorAll(".row").length === 2);
  await page.keyboard.press("r");
  await page.getByRole("option", { name: /POST users\/2/ }).waitFor();
  await page.keyboard.press("i");
  await page.getByRole("option", { name: /Beta/ }).waitFor();
  await page.keyboard.press("f");
  await page.getByRole("dialog", { name: "Faults" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

test("the tabs go by arrows", async ({ page, sandbox }) => {
  await open(page, sandbox);
  await page.getByRole("tab", { name: /Inbox/ }).focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(page), "tab-requests");
  assert.equal(await page.getByRole("tab", { name: /Requests/ }).getAttribute("aria-selected"), "true");
});

test("where the focus is can be seen", async ({ page, sandbox }) => {
  await sandbox.send("a");
  await open(page, sandbox);
  await page.getByRole("option").waitFor();
  for (let press = 0; press < 8; press++) {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return document.activeElement === document.body || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1);
    });
    assert.ok(outline, await focused(page));
  }
});
