// Is what each binding sends what the specification's own snippets send? Same method, path, authorization and content
// type, and equal JSON, as the sandbox's journal has them.
//
//     node run.js SNIPPETS.json    (written by tests/sandbox/snippets/run.js --requests)

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Sandbox } from "../sandbox/browser/sandbox.js";
import { message } from "../sandbox/snippets/specification.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const library = process.env.USERENGAGE_LIBRARY ?? `${root}target/release/libuserengage.so`;
const release = library.replace(/\/[^/]*$/, "");
const program = `${release}/same-request-c`;
const run = (file, parameters, env = {}) => promisify(execFile)(file, parameters, { cwd: root, env: { ...process.env, ...env } });

await run(process.env.CC ?? "cc", ["-Iinclude", "-o", program, "bindings/c/examples/send.c", library, `-Wl,-rpath,${release}`]);
const bindings = {
  C: [program],
  Python: ["python3", "bindings/python/examples/send.py"],
  PHP: ["php", "bindings/php/examples/send.php"],
};

const seen = (request) => ({
  method: request.method,
  path: request.path,
  headers: Object.fromEntries(
    request.headers
      .map(([name, value]) => [name.toLowerCase(), value])
      .filter(([name]) => ["authorization", "content-type"].includes(name))
      .map(([name, value]) => [name, name === "content-type" ? value.split(";")[0] : value]),
  ),
  json: JSON.parse(request.body),
});

const snippets = Object.entries(JSON.parse(readFileSync(process.argv[2])));
const sandbox = await Sandbox.start();
let passed = 0;
let failed = 0;
for (const [name, [file, ...parameters]] of Object.entries(bindings)) {
  const asked = { UE_API_KEY: sandbox.api_key, UE_BASE_URL: sandbox.base_url, PYTHONPATH: `${root}bindings/python/src` };
  for (const [snippet, request] of snippets) {
    try {
      await sandbox.rest("requests", { method: "DELETE" });
      const id = decodeURIComponent(request.path.split("/").at(-3));
      await run(file, [...parameters, id, message.content], asked);
      const [ours, ...more] = await sandbox.rest("requests");
      assert.equal(more.length, 0);
      // A snippet may leave unescaped what stands for itself in a path; ours escapes it.
      ours.path = decodeURIComponent(ours.path);
      request.path = decodeURIComponent(request.path);
      assert.deepEqual(seen(ours), seen(request));
      passed += 1;
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name} beside the snippet ${snippet}\n${error.stack}`);
    }
  }
  if (failed === 0) console.log(`ok      ${name} sends what the ${snippets.length} snippets send`);
}
await sandbox.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
