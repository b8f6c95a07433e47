// Narrow screens, the dark, and what a screen reader is told.

import assert from "node:assert/strict";
import { contrast, message, open, picture, test } from "../test.js";

const phone = { context: { viewport: { width: 360, height: 700 }, hasTouch: true } };

async function fillUp(sandbox) {
  await sandbox.send("<table><tr><td>averyveryveryveryveryveryveryverylongwordthatnobodycanbreak</td><td>b</td></tr></table>", { to: "a".repeat(200) });
  await sandbox.send("Hi <b>user</b>, enjoy our product!", { user: 926, source: 2, source_context: { name: "This is source_context used in API", id: 123 } });
  await sandbox.send("", { to: "43" });
}

test("on a narrow screen the list comes first, then the message, then back", phone, async ({ page, sandbox }) => {
  await fillUp(sandbox);
  await open(page, sandbox);
  await page.getByRole("option", { name: /Hi user/ }).waitFor();
  await picture(page, "narrow");
  assert.ok(!(await page.locator("#detail").isVisible()));
  await page.getByRole("option", { name: /Hi user/ }).tap();
  await message(page);
  assert.ok(!(await page.locator("#pane").isVisible()));
  await picture(page, "narrow-message");
  await page.getByRole("button", { name: "← Back" }).click();
  assert.ok(await page.locator("#pane").isVisible());
});

test("nothing sticks out of a narrow screen", phone, async ({ page, sandbox }) => {
  await fillUp(sandbox);
  await open(page, sandbox);
  const fits = async (what) => {
    const wide = await page.evaluate(() => [...document.querySelectorAll("body *")]
      .filter((each) => each.checkVisibility() && !each.closest(".unseen, .skip") && each.getBoundingClientRect().right > innerWidth + 1)
      .map((each) => `${each.tagName}.${each.className}`));
    assert.deepEqual(wide, [], what);
  };
  await page.getByRole("option").first().waitFor();
  await fits("list");
  for (const place of [0, 1]) {
    await page.getByRole("option").nth(place).click();
    await message(page);
    await fits(`message ${place}`);
    await page.getByRole("button", { name: "← Back" }).click();
  }
  await page.getByRole("tab", { name: /Requests/ }).click();
  await page.getByRole("option").first().click();
  await page.getByText("This field may not be blank.").waitFor();
  await fits("request");
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByText("Send it a message").waitFor();
  await fits("connect");
  await page.getByRole("button", { name: /Faults/ }).click();
  await page.getByRole("dialog").waitFor();
  await fits("faults");
});

for (const colorScheme of ["light", "dark"]) {
  test(`every text can be read in the ${colorScheme}`, { context: { colorScheme } }, async ({ page, sandbox }) => {
    await fillUp(sandbox);
    await sandbox.rest("faults", { method: "POST", body: JSON.stringify({ fault: "status", status: 429, client_user_id: "9" }) });
    await open(page, sandbox);
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.ok(contrast(ground, colorScheme === "dark" ? "rgb(255,255,255)" : "rgb(0,0,0)") > 12, ground);
    const check = async (what) => {
      const pairs = await page.evaluate(() => {
        const ground = (element) => {
          for (let each = element; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (colour !== "rgba(0, 0, 0, 0)" && colour !== "transparent") return colour;
          }
          return "rgb(255, 255, 255)";
        };
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const found = [];
        while (walker.nextNode()) {
          const element = walker.currentNode.parentElement;
          if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("template, script, [hidden], .live, button:disabled")) continue;
          found.push([walker.currentNode.data.trim().slice(0, 30), getComputedStyle(element).color, ground(element)]);
        }
        return found;
      });
      assert.ok(pairs.length > 20, `${pairs.length} texts`);
      for (const [text, colour, behind] of pairs) {
        assert.ok(contrast(colour, behind) >= 4.5, `${what}: "${text}" is ${colour} on ${behind}: ${contrast(colour, behind).toFixed(2)}`);
      }
    };
    await page.getByRole("option", { name: /Hi user/ }).click();
    await message(page);
    await check("message");
    await picture(page, colorScheme);
    await page.getByRole("tab", { name: /Requests/ }).click();
    await page.getByRole("option").first().click();
    await page.getByText("Nothing was stored").waitFor();
    await check("request");
    await page.getByRole("button", { name: /Faults/ }).click();
    await page.getByRole("dialog").waitFor();
    await check("faults");
    await picture(page, `${colorScheme}-faults`);
  });
}

test("a screen reader is told of all that is there, by name", async ({ page, sandbox }) => {
  await fillUp(sandbox);
  await open(page, sandbox);
  await page.getByRole("option", { name: /Hi user/ }).click();
  await message(page);
  await page.getByRole("listbox", { name: "Conversations, newest first" }).waitFor();
  const active = await page.getByRole("listbox").getAttribute("aria-activedescendant");
  assert.equal(await page.locator(`#${active}`).getAttribute("aria-selected"), "true");
  const session = await page.context().newCDPSession(page);
  const nameless = async () => {
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    const roles = ["button", "link", "textbox", "searchbox", "combobox", "spinbutton", "checkbox", "radio", "listbox", "option", "tab", "dialog", "Iframe", "image"];
    return nodes.filter((node) => !node.ignored && roles.includes(node.role?.value) && !node.name?.value).map((node) => node.role.value);
  };
  assert.deepEqual(await nameless(), []);
  await page.getByRole("button", { name: /Faults/ }).click();
  await page.getByRole("dialog", { name: "Faults" }).waitFor();
  assert.deepEqual(await nameless(), []);
});

test("a new message is announced", async ({ page, sandbox }) => {
  await open(page, sandbox);
  await page.waitForFunction(() => document.getElementById("count-inbox").textContent === "0");
  await sandbox.send("first");
  await page.getByRole("option").waitFor();
  await sandbox.send("Hi <b>Anna</b>", { to: "anna" });
  await page.waitForFunction(() => document.getElementById("news").textContent === "New conversation to anna: Hi Anna");
  assert.equal(await page.locator("#news").getAttribute("aria-live"), "polite");
});
