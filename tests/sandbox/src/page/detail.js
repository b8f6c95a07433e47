// The details of one conversation or one request.

import { ask, copy, el, face, fullTime, sourceName, statusTag } from "./dom.js";
import { messageFrame } from "./message.js";

export async function conversationDetail(id) {
  const [conversation, request] = await Promise.all([
    ask(`/_sandbox/conversations/${id}`),
    ask(`/_sandbox/conversations/${id}/request`),
  ]);
  const { client_user_id: client, user, source, source_context: context } = conversation;
  const agent = user === null ? "Your team" : `Agent ${user}`;
  const via = source === null ? "" : ` by ${sourceName(source)}`;
  return [
    el("header", { class: "title" }, face(client), el("div", {},
      el("h2", {}, `To ${client}`),
      el("p", {}, `Conversation ${id}, `, el("time", { datetime: conversation.at }, fullTime(conversation.at))))),
    part("What the customer sees", el("div", { class: "scene" },
      el("p", { class: "by" }, agent, via),
      el("div", { class: "bubble" }, messageFrame(conversation)))),
    part("About it", facts([
      ["Customer", client],
      ["Agent", user === null ? "none given" : String(user)],
      ["Source", source === null ? "none given" : `${source}, ${sourceName(source)}`],
    ])),
    context === null ? null : part("Source context", contextView(context)),
    rawPart(request),
  ];
}

export async function requestDetail(id) {
  const request = await ask(`/_sandbox/requests/${id}`);
  const [mood, verdict] = fate(request);
  return [
    el("header", { class: "title" }, statusTag(request), el("div", {},
      el("h2", {}, request.method ? `${request.method} ${request.path}` : "What came was no HTTP"),
      el("p", {}, `Request ${id} over connection ${request.connection}, `, el("time", { datetime: request.at }, fullTime(request.at))))),
    el("div", { class: "part" }, el("p", { class: `verdict ${mood}` }, verdict)),
    request.answer ? part("Answer", code(pretty(request.answer))) : null,
    request.method ? rawPart(request) : null,
  ];
}

// The outcome of a request, in a sentence.
function fate(request) {
  const fault = request.fault ? ` The fault “${request.fault}” was played.` : "";
  if (request.stored) {
    const answered = request.status !== null && request.status < 300;
    return answered
      ? ["good", `Stored as conversation ${request.conversation_id}: the customer sees it.${fault}`]
      : ["warn", `Stored as conversation ${request.conversation_id}: the customer sees it, though the client was not told so.${fault}`];
  }
  if (!request.complete) return ["bad", `The request did not arrive whole, so nothing was stored.${fault}`];
  if (request.method === "OPTIONS" && request.status === 200) return ["good", "A browser asked whether it may send. It may."];
  return ["bad", `Nothing was stored: the customer sees nothing.${fault}`];
}

function part(name, ...content) {
  return el("section", { class: "part" }, el("h3", {}, name), ...content);
}

function facts(rows) {
  return el("dl", { class: "facts" }, ...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

// Shows a flat object as a table, anything deeper as JSON.
function contextView(context) {
  const entries = Object.entries(context);
  const plain = (value) => value?.rawJSON ?? (value !== null && typeof value === "object" ? undefined : String(value));
  const flat = !Array.isArray(context) && entries.length > 0 && entries.every(([, value]) => plain(value) !== undefined);
  return flat ? facts(entries.map(([name, value]) => [name, plain(value)])) : code(JSON.stringify(context, null, 2));
}

function code(text, shown) {
  return el("div", { class: "code" },
    el("pre", { tabindex: "0" }, ...(shown ?? [text])),
    el("button", { class: "copy", onclick: () => copy(text) }, "Copy"));
}

function rawPart(request) {
  const body = request.body ?? `(base64) ${request.body_base64}`;
  const line = `${request.method} ${request.path} HTTP/${request.http_version}`;
  const head = request.headers.map(([name, value]) => `${name}: ${value}`);
  const shown = [el("span", { class: "line" }, line), "\n"];
  for (const [name, value] of request.headers) shown.push(el("span", { class: "name" }, name), `: ${value}\n`);
  shown.push("\n", body);
  return part("Request as it came", code([line, ...head, "", body].join("\n"), shown));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text.trim();
  }
}
