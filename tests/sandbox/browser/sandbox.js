// Starts a sandbox on a free port, and sends to it.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { once } from "node:events";

const SANDBOX = process.env.UE_SANDBOX ?? "ue-sandbox";

export class Sandbox {
  // `options` are those of the command line, besides the ones that a test always wants.
  static async start(...options) {
    const child = spawn(SANDBOX, ["--listen", "127.0.0.1:0", "--json", "--until-stdin-closes", ...options], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const failed = once(child, "error").then(([error]) => {
      throw new Error(`${SANDBOX} cannot be started (${error.code}): build it, and say where it is in UE_SANDBOX`);
    });
    const [line] = await Promise.race([once(createInterface(child.stdout), "line"), failed]);
    failed.catch(() => {});
    return new Sandbox(child, JSON.parse(line));
  }

  constructor(child, announcement) {
    this.child = child;
    Object.assign(this, announcement);
  }

  async send(content, { to = "42", ...rest } = {}) {
    return fetch(`${this.base_url}users/${encodeURIComponent(to)}/conversations/`, {
      method: "POST",
      headers: { Authorization: `Token ${this.api_key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ content, ...rest }),
    });
  }

  // Sends many messages over a few connections.
  async sendMany(count, content = (number) => `Message <b>${number}</b>`) {
    let next = 1;
    const worker = async () => {
      while (next <= count) {
        const number = next++;
        await (await this.send(content(number), { to: String(number) })).arrayBuffer();
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
  }

  async rest(path, options) {
    const answer = await fetch(`${this.url}_sandbox/${path}`, options);
    return answer.status === 204 ? null : answer.json();
  }

  async stop() {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.stdin.end();
    await ended;
  }
}
