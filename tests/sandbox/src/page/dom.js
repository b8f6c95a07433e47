// Small helpers for the document.

// Makes an element. Content is text or elements, never HTML.
export function el(tag, attributes = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...content.filter((part) => part !== null && part !== undefined));
  return element;
}

export const $ = (id) => document.getElementById(id);

// Sends a request to the sandbox. An error answer becomes an Error with its text.
export async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = answer.status === 204 ? null : JSON.parse(await answer.text(), exact);
  if (!answer.ok) throw Object.assign(new Error(body?.error ?? `status ${answer.status}`), { body });
  return body;
}

// Keeps a number as written if a JavaScript number would change it.
function exact(key, value, context) {
  const changes = typeof value === "number" && context?.source !== undefined && String(value) !== context.source;
  return changes && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
}

let fading;
export function toast(text) {
  const place = $("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { place.hidden = true; }, 4000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("Your browser does not let this page copy: select the text instead");
  }
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const fullTime = (at) => day.format(new Date(at));

// "now", "3 min", the time today, else the date.
export function shortTime(at) {
  const then = new Date(at);
  const seconds = (Date.now() - then) / 1000;
  if (seconds < 45) return "now";
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  return then.toDateString() === new Date().toDateString() ? clock.format(then) : then.toLocaleDateString();
}

export const sourceName = (source) => ["", "chat", "email", "API", "SMS", "Slack"][source] ?? "";

// A circle with a customer's initials, its colour always the same for the same customer.
export function face(id) {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  const letters = /^\d+$/.test(id) ? id.slice(-3) : [...id.replace(/[^\p{L}\p{N}]/gu, "")].slice(0, 2).join("").toUpperCase();
  return el("span", { class: `face h${hash % 8}`, "aria-hidden": "true" }, letters || "?");
}

export function statusTag(entry) {
  const { status } = entry;
  if (status === null) return el("span", { class: "status bad", title: "never answered" }, "—");
  const mood = status < 300 ? "good" : status < 500 ? "warn" : "bad";
  return el("span", { class: `status ${mood}` }, String(status));
}
