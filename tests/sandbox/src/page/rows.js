// The rows of the two lists, and the text that a search looks at.

import { el, face, shortTime, sourceName, statusTag } from "./dom.js";

export function conversationRow(item) {
  const extras = [item.user === null ? null : `agent ${item.user}`, item.source === null ? null : sourceName(item.source)];
  const extra = extras.filter(Boolean).join(", ");
  return [
    face(item.client_user_id),
    el("span", { class: "who" }, item.client_user_id, " ", extra ? el("span", { class: "tag" }, extra) : ""),
    el("time", { datetime: item.at }, shortTime(item.at)),
    el("span", { class: "says" }, item.preview || el("i", {}, "no text")),
  ];
}

export function requestRow(item) {
  const where = item.client_user_id === null ? item.path : `users/${item.client_user_id}`;
  const about = item.method ? `${item.method} ${where}` : "no HTTP";
  const fate = item.fault ? el("span", { class: "tag fault" }, item.fault) : null;
  const says = item.stored ? "stored" : item.complete ? "not stored" : "cut off, not stored";
  return [
    el("span", { class: "face-status" }, statusTag(item)),
    el("span", { class: "who" }, about),
    el("time", { datetime: item.at }, shortTime(item.at)),
    el("span", { class: "says" }, says, fate ? " " : "", fate),
  ];
}

export function conversationMatches(item, words) {
  const text = `${item.client_user_id} ${item.preview} agent ${item.user} ${sourceName(item.source)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

export function requestMatches(item, words) {
  const text = `${item.method} ${item.path} ${item.client_user_id} ${item.status} ${item.fault ?? ""} ${item.stored ? "stored" : "not"}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
