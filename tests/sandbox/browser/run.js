// Runs the tests of the page in a real browser, and prints how many passed and failed.
//
//     UE_SANDBOX=path/to/ue-sandbox node run.js [part of a test's name]
//
// UE_CHROMIUM is the browser, by default Debian's. Pictures of the page go to UE_PICTURES, if that is given.

import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { chromium } from "playwright-core";
import { Sandbox } from "./sandbox.js";
import { tests } from "./test.js";

const executablePath = process.env.UE_CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  console.error(`There is no browser at ${executablePath}: install Debian's chromium, or say in UE_CHROMIUM where one is.`);
  process.exit(1);
}

const quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
// Chromium has no sandbox of its own when root starts it, as in a container.
const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath, args: [...quiet, ...asRoot] });

for (const file of readdirSync(new URL("tests/", import.meta.url)).sort()) await import(`./tests/${file}`);

// A server that stands for the rest of the world: whoever connects to it has strayed.
let strayed = [];
const elsewhere = createServer((socket) => {
  socket.once("data", (data) => strayed.push(data.toString().split("\r\n")[0]));
  socket.on("error", () => {});
}).listen(0, "127.0.0.1");
await once(elsewhere, "listening");
const elsewhereUrl = `http://127.0.0.1:${elsewhere.address().port}`;

const wanted = process.argv[2] ?? "";
let passed = 0;
let failed = 0;
for (const { name, options, run } of tests.filter((test) => test.name.includes(wanted))) {
  const sandbox = await Sandbox.start(...(options.sandbox ?? []));
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options.context });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  strayed = [];
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  try {
    await run({ page, sandbox, context, elsewhere: elsewhereUrl });
    if (errors.length > 0) throw new Error(`errors on the page: ${errors.join("; ")}`);
    if (strayed.length > 0) throw new Error(`asked elsewhere: ${strayed.join(", ")}`);
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  } finally {
    await context.close();
    await sandbox.stop();
  }
}
await browser.close();
elsewhere.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
