// The page: two lists, one of them shown, and the chosen item.

import { $, ask, copy, el, toast } from "./dom.js";
import { conversationDetail, requestDetail } from "./detail.js";
import { setUpFaults, showFaults } from "./faults.js";
import { Feed } from "./feed.js";
import { List } from "./list.js";
import { conversationMatches, conversationRow, requestMatches, requestRow } from "./rows.js";

const views = {
  inbox: {
    feed: new Feed("/_sandbox/page/conversations"), row: conversationRow, matches: conversationMatches, detail: conversationDetail,
    path: "/_sandbox/conversations", label: "Conversations, newest first", none: "No conversation yet.", chosen: null,
  },
  requests: {
    feed: new Feed("/_sandbox/page/requests"), row: requestRow, matches: requestMatches, detail: requestDetail,
    path: "/_sandbox/requests", label: "Requests, newest first", none: "No request yet.", chosen: null,
  },
};
let name = "inbox";
let view = views.inbox;
let info = null;
let run = null;
let amendments = 0;
// The number of conversations that came while the page was hidden.
let missed = 0;
const TITLE = document.title;

const list = new List($("list"), choose);

function words() {
  return $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
}

function draw() {
  const wanted = words();
  const found = wanted.length > 0 ? view.feed.items.filter((item) => view.matches(item, wanted)) : view.feed.items.slice();
  list.show(found.reverse(), view.row);
  $("none").hidden = found.length > 0;
  $("none").textContent = wanted.length > 0 ? "Nothing like it." : view.none;
  for (const [key, { feed }] of Object.entries(views)) $(`count-${key}`).textContent = feed.items.length.toLocaleString("en");
  $("clear").disabled = view.feed.items.length === 0;
}

// Shows the other list.
function turn(to) {
  name = to;
  view = views[to];
  for (const key of Object.keys(views)) {
    $(`tab-${key}`).setAttribute("aria-selected", String(key === to));
    $(`tab-${key}`).tabIndex = key === to ? 0 : -1;
  }
  $("pane").setAttribute("aria-labelledby", `tab-${to}`);
  $("list").setAttribute("aria-label", view.label);
  $("search").value = "";
  $("fresh").hidden = true;
  calm();
  list.root.scrollTop = 0;
  list.chosen = view.chosen;
  list.items = [];
  list.refresh();
  draw();
  document.body.classList.remove("reading");
  if (view.chosen === null) welcome();
  else choose({ id: view.chosen }, false);
}

// Shows the details of an item. `into` also moves the focus there, as for a click or Enter.
async function choose(item, into) {
  view.chosen = item.id;
  list.mark(item.id);
  if (into) document.body.classList.add("reading");
  const shown = view;
  let parts;
  try {
    parts = await view.detail(item.id);
  } catch (error) {
    parts = [el("p", { class: "quiet" }, error.message)];
  }
  if (shown !== view || view.chosen !== item.id) return;
  const back = el("button", { class: "plain back", onclick: leave }, "← Back");
  $("detail").replaceChildren(back, ...parts.filter(Boolean));
  $("detail").scrollTop = 0;
  if (into) $("detail").focus();
}

// Back to the list.
function leave() {
  document.body.classList.remove("reading");
  $("list").focus();
}

// The first steps, with the address and the key.
function welcome() {
  $("detail").replaceChildren(el("button", { class: "plain back", onclick: leave }, "← Back"), $("welcome").content.cloneNode(true));
  if (!info) return;
  $("base-url").textContent = info.base_url;
  $("api-key").textContent = info.api_key;
  for (const [row, place, value] of [["tls-row", "tls-base-url", info.tls_base_url], ["ca-row", "ca-file", info.ca_file]]) {
    $(row).hidden = !value;
    $(place).textContent = value ?? "";
  }
  $("curl").textContent = [
    `curl -i -H 'Authorization: Token ${info.api_key}' \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d '{"content": "Hi <b>user</b>, enjoy our product!", "user": 926, "source": 2}' \\`,
    `  ${info.base_url}users/42/conversations/`,
  ].join("\n");
}

function connect() {
  view.chosen = null;
  list.mark(null);
  welcome();
  document.body.classList.add("reading");
  $("detail").focus();
}

// Under load, events come faster than they can be handled. Only the latest one counts.
let latest = null;
let following = false;

async function follow(state) {
  latest = state;
  if (following) return;
  following = true;
  while (latest) {
    const now = latest;
    latest = null;
    try {
      await catchUp(now);
    } catch {
      // The sandbox is gone or was restarted. The next event shows it.
    }
  }
  following = false;
}

async function catchUp(state) {
  if (run !== null && run !== state.run) {
    for (const each of Object.values(views)) {
      each.feed.reset();
      each.chosen = null;
    }
    info = await ask("/_sandbox/info");
    turn(name);
  }
  const first = run !== state.run;
  run = state.run;
  // An entry changes when a late answer is sent.
  const amended = state.amendments !== amendments;
  amendments = state.amendments;
  if (amended && !first) views.requests.feed.forgetFrom((item) => item.status === null);
  showFaults(state.faults, state.rate_limit);
  const [conversations] = await Promise.all([views.inbox.feed.follow(state.conversations), views.requests.feed.follow(state.requests)]);
  const scrolled = list.root.scrollTop > 0;
  draw();
  if (first) return;
  if (amended && name === "requests") list.refresh();
  if (document.hidden) missed += conversations.length;
  document.title = missed > 0 ? `(${missed}) ${TITLE}` : TITLE;
  if (conversations.length > 0) {
    const newest = conversations.at(-1);
    const more = conversations.length > 1 ? `${conversations.length} new conversations, the last` : "New conversation";
    $("news").textContent = `${more} to ${newest.client_user_id}: ${newest.preview}`;
  }
  if (name === "inbox" && scrolled && conversations.length > 0) {
    unseen += conversations.length;
    $("fresh").textContent = `↑ ${unseen} new`;
    $("fresh").hidden = false;
  }
}

let unseen = 0;
function calm() {
  unseen = 0;
  $("fresh").hidden = true;
}

// Clearing needs a second click.
let sure = null;
async function clear() {
  if (sure === null) {
    $("clear").textContent = "Really?";
    $("clear").classList.add("danger");
    sure = setTimeout(unsure, 3000);
    return;
  }
  unsure();
  await ask(view.path, { method: "DELETE" });
  view.chosen = null;
  welcome();
  toast(name === "inbox" ? "The inbox is empty" : "The requests are forgotten");
}

function unsure() {
  clearTimeout(sure);
  sure = null;
  $("clear").textContent = "Clear";
  $("clear").classList.remove("danger");
}

function keys(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || $("faults").open) return;
  if (event.key === "Escape") {
    if ($("search").value) {
      $("search").value = "";
      draw();
    }
    return leave();
  }
  if (event.target.closest("input, select, textarea")) return;
  const actions = {
    "/": () => { document.body.classList.remove("reading"); $("search").focus(); },
    f: () => $("faults").showModal(),
    i: () => { turn("inbox"); $("list").focus(); },
    r: () => { turn("requests"); $("list").focus(); },
  };
  if (event.key in actions) {
    event.preventDefault();
    actions[event.key]();
  }
}

for (const key of Object.keys(views)) {
  $(`tab-${key}`).addEventListener("click", () => turn(key));
  $(`tab-${key}`).addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    turn(name === "inbox" ? "requests" : "inbox");
    $(`tab-${name}`).focus();
  });
}
$("search").addEventListener("input", draw);
$("search").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" || list.items.length === 0) return;
  event.preventDefault();
  $("list").focus();
  choose(list.items[0], false);
});
$("clear").addEventListener("click", clear);
$("connect").addEventListener("click", connect);
$("fresh").addEventListener("click", () => { list.root.scrollTop = 0; calm(); });
list.root.addEventListener("scroll", () => { if (list.root.scrollTop === 0) calm(); }, { passive: true });
document.addEventListener("keydown", keys);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(document.querySelector(button.dataset.copy).textContent);
});
document.addEventListener("visibilitychange", () => {
  missed = 0;
  document.title = TITLE;
});
setInterval(() => list.refresh(), 30_000);

const live = $("live");
const events = new EventSource("/_sandbox/events");
events.addEventListener("open", () => { live.textContent = "live"; live.classList.add("on"); });
events.addEventListener("error", () => { live.textContent = "the sandbox is not there"; live.classList.remove("on"); });
events.addEventListener("state", (event) => follow(JSON.parse(event.data)));

info = await ask("/_sandbox/info");
welcome();
draw();
await setUpFaults();
