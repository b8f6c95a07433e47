// A person can order faults by a form, and see what came of them.

import assert from "node:assert/strict";
import { open, test } from "../test.js";

async function openFaults(page, sandbox) {
  await open(page, sandbox);
  await page.getByRole("button", { name: /Faults/ }).click();
  await page.getByRole("dialog", { name: "Faults" }).waitFor();
}

test("a 429 is ordered with two clicks, waits, and is gone when played", async ({ page, sandbox }) => {
  await openFaults(page, sandbox);
  await page.getByRole("button", { name: "Rate limited" }).click();
  await page.getByRole("button", { name: "Order", exact: true }).click();
  await page.locator("#orders li", { hasText: "status 429" }).waitFor();
  const answer = await sandbox.send("a");
  assert.deepEqual([answer.status, answer.headers.get("Retry-After")], [429, "3"]);
  await page.getByText("No fault waits: all goes well.").waitFor();
  assert.equal((await sandbox.send("a")).status, 201);
});

test("every common fault can be ordered as it stands", async ({ page, sandbox }) => {
  await openFaults(page, sandbox);
  const buttons = page.locator("#presets button");
  const count = await buttons.count();
  assert.ok(count >= 6);
  for (let place = 0; place < count; place++) {
    await buttons.nth(place).click();
    await page.getByRole("button", { name: "Order", exact: true }).click();
    await page.waitForFunction((wanted) => document.querySelectorAll("#orders li").length === wanted, place + 1);
  }
  await page.getByRole("button", { name: "Take all back" }).click();
  await page.getByText("No fault waits: all goes well.").waitFor();
});

test("every fault of the catalogue can be ordered as the form has it", async ({ page, sandbox }) => {
  await openFaults(page, sandbox);
  const names = (await sandbox.rest("faults/catalogue")).map(({ name }) => name);
  for (const [place, name] of names.entries()) {
    await page.locator("#fault").selectOption(name);
    await page.getByRole("button", { name: "Order", exact: true }).click();
    await page.waitForFunction((wanted) => document.querySelectorAll("#orders li").length === wanted, place + 1);
  }
  assert.deepEqual((await sandbox.rest("faults")).map(({ fault }) => fault), names);
});

test("a lost answer shows in the requests, and its message in the inbox", async ({ page, sandbox }) => {
  await openFaults(page, sandbox);
  await page.getByRole("button", { name: "Answer lost" }).click();
  await page.getByRole("button", { name: "Order", exact: true }).click();
  await page.locator("#orders li", { hasText: "close" }).waitFor();
  await assert.rejects(sandbox.send("lost"));
  await page.keyboard.press("Escape");
  await page.getByRole("option", { name: /lost/ }).waitFor();
  await page.getByRole("tab", { name: /Requests/ }).click();
  await page.getByRole("option").first().click();
  await page.getByText("the customer sees it, though the client was not told so").waitFor();
});

test("a bad order is refused beside its field", async ({ page, sandbox }) => {
  await openFaults(page, sandbox);
  await page.getByLabel("headers").fill("Retry-After: 3");
  await page.getByRole("button", { name: "Order", exact: true }).click();
  await page.getByRole("alert").getByText("headers: is not an object; write an object").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "headers");
  assert.deepEqual(await sandbox.rest("faults"), []);
});

test("one fault can be for one customer, at random, and be taken back", async ({ page, sandbox }) => {
  await openFaults(page, sandbox);
  await page.getByLabel("percent of the requests").fill("100");
  await page.getByLabel("For customer").fill("42");
  await page.getByRole("button", { name: "Order", exact: true }).click();
  await page.locator("#orders li", { hasText: "100 % of requests" }).waitFor();
  assert.deepEqual([(await sandbox.send("a", { to: "43" })).status, (await sandbox.send("a")).status], [201, 500]);
  await page.getByRole("button", { name: "Take back status" }).click();
  await page.getByText("No fault waits: all goes well.").waitFor();
  assert.equal((await sandbox.send("a")).status, 201);
});

test("the rate limit can be set", async ({ page, sandbox }) => {
  await openFaults(page, sandbox);
  await page.getByLabel("Requests a second").fill("1");
  await page.getByRole("button", { name: "Set", exact: true }).click();
  await page.getByText("At most 1 requests a second").waitFor();
  assert.deepEqual(await sandbox.rest("rate-limit"), { per_second: 1 });
});

test("a late answer is shown when it is given", async ({ page, sandbox }) => {
  await sandbox.rest("faults", { method: "POST", body: JSON.stringify({ fault: "delay", ms: 1500 }) });
  await open(page, sandbox);
  await page.getByRole("tab", { name: /Requests/ }).click();
  const answer = sandbox.send("late");
  await page.getByRole("option", { name: /—.*stored/ }).waitFor();
  assert.equal((await answer).status, 201);
  await page.getByRole("option", { name: /201.*stored/ }).waitFor();
});
