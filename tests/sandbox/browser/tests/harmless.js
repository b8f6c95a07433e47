// A message is a stranger's HTML: whatever it holds, it only looks.

import assert from "node:assert/strict";
import { message, open, test } from "../test.js";

const MISCHIEF = {
  "a script": "<script>top.mischief = 1; parent.document.title = 'mischief'</script>Hello",
  "an onerror": "<img src=x onerror=\"parent.document.title='mischief'\">Hello",
  "an svg with onload": "<svg onload=\"parent.document.title='mischief'\"></svg>Hello",
  "a details with ontoggle": "<details open ontoggle=\"parent.document.title='mischief'\">Hello</details>",
  "a frame within": "<iframe srcdoc=\"<script>top.document.title='mischief'</script>\"></iframe>Hello",
  "a meta refresh": "<meta http-equiv=refresh content=\"0;url=ELSEWHERE/\">Hello",
  "a picture from elsewhere": "<img src=\"ELSEWHERE/pixel.png\">Hello",
  "a stylesheet from elsewhere": "<style>@import 'ELSEWHERE/a.css'; b{background:url(ELSEWHERE/b)}</style><b>Hello</b>",
  "a base and a link tag": "<base href=\"ELSEWHERE/\" target=_top><link rel=stylesheet href=a.css><link rel=prefetch href=b>Hello",
  "an object and an embed": "<object data=\"ELSEWHERE/\"></object><embed src=\"ELSEWHERE/\">Hello",
  "a video and a font": "<video src=\"ELSEWHERE/v\" autoplay></video><style>@font-face{font-family:x;src:url(ELSEWHERE/f)}body{font-family:x}</style>Hello",
};

// The runner fails a test whose page connected to the server elsewhere.
for (const [what, html] of Object.entries(MISCHIEF)) {
  test(`${what} in a message does nothing`, async ({ page, sandbox, elsewhere }) => {
    const dialogs = [];
    page.on("dialog", (dialog) => { dialogs.push(dialog.message()); dialog.dismiss(); });
    await sandbox.send(html.replaceAll("ELSEWHERE", elsewhere));
    await open(page, sandbox);
    await page.getByRole("option").click();
    await (await message(page)).getByText("Hello").waitFor();
    await page.waitForTimeout(300);
    assert.equal(await page.title(), "UserEngage sandbox");
    assert.equal(await page.evaluate(() => window.mischief), undefined);
    assert.equal(new URL(page.url()).pathname, "/");
    assert.deepEqual(dialogs, []);
  });
}

test("a javascript: link and any other link lead nowhere, and the page says where they would", async ({ page, sandbox, elsewhere }) => {
  await sandbox.send(`<a id=one href="javascript:parent.document.title='mischief'">one</a> <a id=two href="${elsewhere}/" target=_top>two</a>`);
  await open(page, sandbox);
  await page.getByRole("option").click();
  const frame = await message(page);
  await frame.locator("#one").click();
  await page.getByText("This link leads to javascript:").waitFor();
  await frame.locator("#two").click();
  await page.getByText(`This link leads to ${elsewhere}/`).waitFor();
  await page.waitForTimeout(200);
  assert.equal(await page.title(), "UserEngage sandbox");
  assert.equal(new URL(page.url()).pathname, "/");
  assert.equal(await frame.locator("#one").innerText(), "one");
});

test("a form in a message sends nothing", async ({ page, sandbox, elsewhere }) => {
  await sandbox.send(`<form action="${elsewhere}/" target=_top><input name=password value=x><button>Log in</button></form>`);
  await sandbox.send("<form method=post action=\"/_sandbox/faults\"><button>Order</button></form>", { to: "2" });
  await open(page, sandbox);
  for (const place of [1, 0]) {
    await page.getByRole("option").nth(place).click();
    await page.getByRole("heading", { name: place === 1 ? "To 42" : "To 2" }).waitFor();
    await (await message(page)).getByRole("button").click();
    await page.waitForTimeout(200);
  }
  assert.equal(new URL(page.url()).pathname, "/");
  assert.deepEqual(await sandbox.rest("faults"), []);
});

test("a trick of CSS stays within its bubble", async ({ page, sandbox }) => {
  await sandbox.send("<style>html,body{height:99999px}div{position:fixed;inset:-9999px;z-index:2147483647;background:red}</style><div>Your session has expired</div>");
  await open(page, sandbox);
  await page.getByRole("option").click();
  await message(page);
  const box = await page.locator(".bubble iframe").boundingBox();
  assert.ok(box.height <= 640, `${box.height}`);
  const covered = await page.evaluate(() => {
    const tabs = document.getElementById("tab-inbox").getBoundingClientRect();
    return document.elementFromPoint(tabs.x + 5, tabs.y + 5).closest("#tab-inbox") === null;
  });
  assert.ok(!covered);
});

test("a message opened by itself is as harmless", async ({ page, sandbox }) => {
  await sandbox.send("<script>document.title='mischief'</script><p onclick=\"document.title='mischief'\">Hello</p>");
  await page.goto(`${sandbox.url}_sandbox/conversations/1/content`);
  await page.getByText("Hello").click();
  assert.notEqual(await page.title(), "mischief");
});

test("HTML in an id, a context or a request is text", async ({ page, sandbox }) => {
  const html = "<img src=x onerror=\"document.title='mischief'\">";
  await sandbox.send("Hello", { to: html, source_context: { [html]: html } });
  await fetch(`${sandbox.url}${encodeURIComponent(html)}`, { method: "POST", headers: { "X-Html": html }, body: html });
  await open(page, sandbox);
  await page.getByRole("option").click();
  await page.getByRole("heading", { name: `To ${html}` }).waitFor();
  await page.getByRole("tab", { name: /Requests/ }).click();
  await page.getByRole("option").first().click();
  await page.getByText(`X-Html: ${html}`).waitFor();
  assert.equal(await page.title(), "UserEngage sandbox");
});
