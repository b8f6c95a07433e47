// A message as its customer sees it: untrusted HTML in a sandboxed frame.

import { el, toast } from "./dom.js";

const TALLEST = 640;

export function messageFrame(conversation) {
  const frame = el("iframe", {
    title: `Message to ${conversation.client_user_id}`,
    // No scripts, no forms, no navigation of this page. `allow-same-origin` lets us read its height, nothing else.
    sandbox: "allow-same-origin",
    referrerpolicy: "no-referrer",
    src: `/_sandbox/conversations/${conversation.id}/content`,
  });
  frame.addEventListener("load", () => {
    const inner = frame.contentDocument;
    if (!inner?.body) return;
    fit(frame);
    inner.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href]");
      if (!link) return;
      event.preventDefault();
      toast(`This link leads to ${link.getAttribute("href")}`);
    }, true);
    let width = frame.clientWidth;
    new ResizeObserver(() => {
      if (frame.clientWidth === width) return;
      width = frame.clientWidth;
      fit(frame);
    }).observe(frame);
  });
  return frame;
}

// Makes the frame as tall as its content, up to a limit; beyond that it scrolls.
function fit(frame) {
  const root = frame.contentDocument?.documentElement;
  if (!root) return;
  frame.style.height = "0";
  frame.style.height = `${Math.min(TALLEST, Math.max(24, root.scrollHeight))}px`;
}
