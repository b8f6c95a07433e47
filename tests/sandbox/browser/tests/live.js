// The page follows the sandbox.

import assert from "node:assert/strict";
import { message, open, picture, test } from "../test.js";
import { Sandbox } from "../sandbox.js";

test("a message appears without a reload", async ({ page, sandbox }) => {
  await open(page, sandbox);
  await page.evaluate(() => { window.sameDocument = true; });
  await page.getByText("No conversation yet.").waitFor();
  await sandbox.send("Hi <b>user</b>, enjoy our product!", { user: 926, source: 2, source_context: { name: "context", id: 123 } });
  const row = page.getByRole("option", { name: /42.*Hi user, enjoy our product!/ });
  await row.waitFor();
  assert.equal(await page.locator("#count-inbox").textContent(), "1");
  await row.click();
  assert.equal(await (await message(page)).locator("body").innerText(), "Hi user, enjoy our product!");
  assert.ok(await page.evaluate(() => window.sameDocument));
  await picture(page, "light");
});

test("bold is bold", async ({ page, sandbox }) => {
  await sandbox.send("Hi <b>user</b>");
  await open(page, sandbox);
  await page.getByRole("option").click();
  const weight = await (await message(page)).locator("b").evaluate((bold) => getComputedStyle(bold).fontWeight);
  assert.equal(weight, "700");
});

test("the newest is on top and agent, source, context and request are a click away", async ({ page, sandbox }) => {
  await sandbox.send("first", { to: "1" });
  await sandbox.send("second", { to: "anna@example.com", user: 17, source: 4, source_context: { big: 12345678901234567890n.toString(), deep: { a: [1] } } });
  await open(page, sandbox);
  assert.match(await page.getByRole("option").first().innerText(), /anna@example\.com/);
  await page.getByRole("option").first().click();
  await page.getByRole("heading", { name: "To anna@example.com" }).waitFor();
  const text = await page.locator("#detail").innerText();
  for (const part of ["Agent 17 by SMS", "4, SMS", '"deep"', "POST /api/public/users/anna%40example.com/conversations/ HTTP/1.1", "Token ****************(64)"]) {
    assert.ok(text.includes(part), part);
  }
  assert.ok(!text.includes(sandbox.api_key));
});

test("numbers of the context are shown as they were written", async ({ page, sandbox }) => {
  await fetch(`${sandbox.base_url}users/1/conversations/`, {
    method: "POST",
    headers: { Authorization: `Token ${sandbox.api_key}`, "Content-Type": "application/json" },
    body: '{"content": "a", "source_context": {"big": 12345678901234567890, "price": 1.10}}',
  });
  await open(page, sandbox);
  await page.getByRole("option").click();
  await page.getByText("Source context").waitFor();
  const text = await page.locator(".facts").nth(1).innerText();
  assert.match(text, /12345678901234567890/);
  assert.match(text, /1\.10/);
});

test("what is cleared elsewhere is gone here", async ({ page, sandbox }) => {
  await sandbox.sendMany(5);
  await open(page, sandbox);
  await page.getByRole("option").nth(4).waitFor();
  await sandbox.rest("conversations", { method: "DELETE" });
  await page.getByText("No conversation yet.").waitFor();
  assert.equal(await page.getByRole("option").count(), 0);
});

test("clearing wants a second click", async ({ page, sandbox }) => {
  await sandbox.send("a");
  await open(page, sandbox);
  await page.getByRole("option").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  assert.equal(await page.getByRole("option").count(), 1);
  await page.getByRole("button", { name: "Really?" }).click();
  await page.getByText("No conversation yet.").waitFor();
});

test("the page finds its way when the sandbox is started again", async ({ page, sandbox }) => {
  await sandbox.sendMany(3);
  await open(page, sandbox);
  await page.getByRole("option").nth(2).waitFor();
  const { port } = new URL(sandbox.url);
  await sandbox.stop();
  await page.getByText("the sandbox is not there").waitFor();
  const again = await Sandbox.start("--port", port);
  try {
    await again.send("after the restart", { to: "7" });
    await page.locator("#live.on").waitFor({ timeout: 20_000 });
    await page.getByRole("option", { name: /after the restart/ }).waitFor();
    assert.equal(await page.getByRole("option").count(), 1);
  } finally {
    await again.stop();
  }
});

test("a flood does not stop the page", { sandbox: ["--keep", "500"] }, async ({ page, sandbox }) => {
  await open(page, sandbox);
  await sandbox.sendMany(3000);
  await page.waitForFunction(() => document.getElementById("count-inbox").textContent === "500");
  await sandbox.send("the last one", { to: "last" });
  await page.getByRole("option", { name: /the last one/ }).waitFor();
});

test("a reader who has scrolled down is not disturbed, and told of what is new", async ({ page, sandbox }) => {
  await sandbox.sendMany(100);
  await open(page, sandbox);
  await page.getByRole("option").first().waitFor();
  await page.locator("#list").evaluate((list) => { list.scrollTop = 2000; });
  // The first row in sight, and where it is, once the list is drawn where it was scrolled to.
  const place = async () => (await page.waitForFunction(() => {
    const top = document.getElementById("list").getBoundingClientRect().top;
    const row = [...document.querySelectorAll(".row")].find((each) => each.getBoundingClientRect().bottom > top + 1);
    return row && `${row.id} ${Math.round(row.getBoundingClientRect().top)}`;
  })).jsonValue();
  const before = await place();
  await sandbox.send("news");
  await page.getByRole("button", { name: "↑ 1 new" }).waitFor();
  assert.equal(await place(), before);
  await page.getByRole("button", { name: "↑ 1 new" }).click();
  await page.getByRole("option", { name: /news/ }).waitFor();
});
