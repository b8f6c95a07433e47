// Runs the specification's own snippets against a sandbox, unchanged but for the address, the id and the key.
//
//     UE_SANDBOX=path/to/ue-sandbox node run.js [--requests FILE]
//
// With --requests the requests, as the journal has them, are written to a file: a JSON object by the snippet's name.
// UE_CHROMIUM, UE_PYTHON and UE_PHP say which browser, Python (with requests) and PHP (with http) are used.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { once } from "node:events";
import { chromium } from "playwright-core";
import { Sandbox } from "../browser/sandbox.js";
import { filledIn, message, snippets } from "./specification.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "ue-snippets-"));
const python = process.env.UE_PYTHON ?? "python3";
const php = process.env.UE_PHP ?? "php";
const executablePath = process.env.UE_CHROMIUM ?? "/usr/bin/chromium";

// Runs a program; its complaints go into the error of a test that fails.
async function run(program, parameters, env = {}) {
  const { stdout } = await promisify(execFile)(program, parameters, { env: { ...process.env, ...env }, timeout: 30_000 });
  return stdout;
}

function file(name, text) {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

// Runs a snippet in a page of another origin than the sandbox's, as it would run in a shop's.
async function inBrowser(script, ...libraries) {
  if (!existsSync(executablePath)) throw new Error(`there is no browser at ${executablePath}: install Debian's chromium, or set UE_CHROMIUM`);
  const scripts = [...libraries, script].map((text) => `<script>${text}</script>`).join("\n");
  const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end(`<!doctype html><title>A shop</title>${scripts}`));
  await once(server.listen(0, "localhost"), "listening");
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath, args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...asRoot] });
  try {
    const page = await browser.newPage();
    const logged = page.waitForEvent("console", { timeout: 15_000 });
    const answered = page.waitForEvent("response", (response) => response.request().method() === "POST");
    await page.goto(`http://localhost:${server.address().port}/`);
    const [line, answer] = await Promise.all([logged, answered]);
    assert.equal(line.type(), "log", line.text());
    assert.equal(answer.status(), 201);
  } finally {
    await browser.close();
    server.close();
  }
}

const tests = {
  curl: ["curl", (snippet) => run("bash", ["-c", snippet])],
  jquery: ["jQuery", (snippet) => inBrowser(snippet, readFileSync(join(here, "node_modules/jquery/dist/jquery.min.js"), "utf8"))],
  xhr: ["XMLHttpRequest", (snippet) => inBrowser(snippet)],
  node: ["Node's request, which nobody maintains but which is still to be had", (snippet) => {
    createRequire(import.meta.url).resolve("request");
    return run("node", ["--no-deprecation", file("snippet.cjs", snippet)], { NODE_PATH: join(here, "node_modules") });
  }],
  php: ["PHP's HttpRequest, in its place http\\Client, its successor", (snippet) => run(php, ["-d", `auto_prepend_file=${join(here, "HttpRequest.php")}`, file("snippet.php", snippet)])],
  requests: ["Python's requests", (snippet) => run(python, [file("snippet_requests.py", snippet)])],
  httpClient: ["Python's http.client, over TLS", (snippet) => run(python, [file("snippet_http_client.py", snippet)], { SSL_CERT_FILE: sandbox.ca_file })],
};

const sandbox = await Sandbox.start("--tls");
const requests = {};
let passed = 0;
let failed = 0;
for (const [name, [title, start]] of Object.entries(tests)) {
  const id = name === "httpClient" ? "anna@example.com" : "42";
  try {
    // http.client's snippet has a host and a path; the others have a URL.
    const address = name === "httpClient"
      ? { old: "app.userengage.com", new: new URL(sandbox.tls_url).host }
      : { old: "https://app.userengage.com/api/public/", new: sandbox.base_url };
    await sandbox.rest("requests", { method: "DELETE" });
    await start(filledIn(snippets[name], address, id, sandbox.api_key));
    const posts = (await sandbox.rest("requests")).filter((request) => request.method === "POST");
    assert.equal(posts.length, 1);
    const [request] = posts;
    const header = (wanted) => request.headers.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
    assert.equal(request.path, `/api/public/users/${id}/conversations/`);
    assert.deepEqual(header("authorization"), ["Token ****************(64)"]);
    assert.match(header("content-type").join(), /^application\/json(;|$)/);
    assert.deepEqual(JSON.parse(request.body), message);
    assert.deepEqual([request.status, request.stored, request.complete], [201, true, true]);
    requests[name] = request;
    passed += 1;
    console.log(`ok      ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${title}\n${error.stack}\n${error.stderr ?? ""}`);
  }
}
await sandbox.stop();
rmSync(scratch, { recursive: true });
const place = process.argv.indexOf("--requests");
if (place > 0) writeFileSync(process.argv[place + 1], JSON.stringify(requests, null, 2));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
