// The form that orders faults, built from the sandbox's catalogue, and the list of waiting orders.

import { $, ask, el, toast } from "./dom.js";

const PRESETS = [
  ["Rate limited", { fault: "status", status: 429, headers: { "Retry-After": "3" } }],
  ["Stored, then 500", { fault: "store-then-fail" }],
  ["Stored, then 503", { fault: "store-then-503" }],
  ["Stored, then 408", { fault: "store-then-408" }],
  ["Stored, then 302", { fault: "redirect", status: 302, store: true }],
  ["Answer lost", { fault: "close", where: "before-status", store: true }],
  ["Never answers", { fault: "hang" }],
  ["Three seconds late", { fault: "delay", ms: 3000 }],
  ["Connection reset", { fault: "reset" }],
  ["Service down", { fault: "status", status: 503, headers: { "Retry-After": "30" } }],
  ["Captive portal", { fault: "html", status: 200, title: "Welcome to the Wi-Fi" }],
];

let catalogue = [];

export async function setUpFaults() {
  const dialog = $("faults");
  $("open-faults").addEventListener("click", () => dialog.showModal());
  $("close-faults").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  catalogue = await ask("/_sandbox/faults/catalogue");
  $("fault").append(...catalogue.map((kind) => el("option", { value: kind.name }, kind.name)));
  $("fault").addEventListener("change", () => fields());
  $("presets").append(...PRESETS.map(([name, order]) => el("button", { type: "button", onclick: () => fill(order) }, name)));
  $("order").addEventListener("submit", order);
  $("times").addEventListener("focus", () => often("times"));
  $("share").addEventListener("focus", () => often("share"));
  $("take-back").addEventListener("click", () => ask("/_sandbox/faults", { method: "DELETE" }));
  $("limit").addEventListener("submit", limit);
  fields();
}

// Shows the waiting orders.
export function showFaults(orders, rateLimit) {
  $("count-faults").hidden = orders.length === 0;
  $("count-faults").textContent = orders.length;
  $("no-orders").hidden = orders.length > 0;
  $("take-back").hidden = orders.length < 2;
  $("orders").replaceChildren(...orders.map(waiting));
  const field = $("per-second");
  if (document.activeElement !== field) field.value = rateLimit ?? "";
}

function waiting({ id, fault, played, times, share, client_user_id: client, port, ...parameters }) {
  const often = share === undefined ? `${times} more` : `${+(share * 100).toFixed(2)} % of requests`;
  const said = Object.entries(parameters).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  const whom = [client === undefined ? null : `customer ${client}`, port === undefined ? null : `port ${port}`].filter(Boolean);
  return el("li", {},
    el("span", {}, el("strong", {}, fault), " ", [...said, ...whom].join(", "), " ",
      el("span", { class: "quiet" }, `(${often}, played ${played} times)`)),
    el("button", { class: "plain", "aria-label": `Take back ${fault}`, onclick: () => ask(`/_sandbox/faults/${id}`, { method: "DELETE" }) }, "Take back"));
}

function often(value) {
  document.querySelector(`input[name=often][value=${value}]`).checked = true;
}

// Puts the fields of the chosen fault into the form.
function fields(given = {}) {
  const kind = catalogue.find(({ name }) => name === $("fault").value);
  $("about").textContent = kind.about;
  $("refusal").hidden = true;
  $("parameters").replaceChildren(...kind.parameters.map((parameter) => {
    const hint = `hint-${parameter.name}`;
    const input = field(parameter, given[parameter.name]);
    input.setAttribute("aria-describedby", hint);
    return el("div", {}, el("label", {}, parameter.name, input), el("p", { class: "hint", id: hint }, parameter.about));
  }));
}

function field({ name, type, min, max, default: usual, choices }, value) {
  const attributes = { name, "data-type": type };
  if (type === "choice") {
    const select = el("select", attributes, ...choices.map((choice) => el("option", {}, choice)));
    select.value = value ?? usual;
    return select;
  }
  if (type === "flag") {
    // Leave out an untouched field: the sandbox's default may depend on the rest of the order.
    const box = el("input", { ...attributes, type: "checkbox", checked: value ?? usual, oninput: () => { box.dataset.said = "yes"; } });
    if (value !== undefined) box.dataset.said = "yes";
    return box;
  }
  if (type === "integer") return el("input", { ...attributes, type: "number", min, max, value: value ?? usual });
  const text = type === "headers" && value ? JSON.stringify(value) : value ?? usual ?? "";
  return el("input", { ...attributes, value: text, placeholder: type === "headers" ? '{"Retry-After": "3"}' : "the usual", spellcheck: "false", autocomplete: "off" });
}

function fill(order) {
  $("fault").value = order.fault;
  fields(order);
  often("times");
  $("times").value = 1;
  document.querySelector("#order .primary").focus();
}

async function order(event) {
  event.preventDefault();
  try {
    const answer = await ask("/_sandbox/faults", { method: "POST", body: JSON.stringify(read()) });
    $("refusal").hidden = true;
    const whom = answer.client_user_id === undefined ? "" : ` for customer ${answer.client_user_id}`;
    toast(answer.share === undefined ? `Ordered: ${answer.fault} for the next ${answer.times}${whom}` : `Ordered: ${answer.fault} at random${whom}`);
  } catch (error) {
    const { field: name, remedy } = error.body ?? {};
    $("refusal").textContent = name ? `${name}: ${error.message}; ${remedy}.` : error.message;
    $("refusal").hidden = false;
    document.querySelector(`#parameters [name="${name}"]`)?.focus();
  }
}

// The order that the form describes.
function read() {
  const order = { fault: $("fault").value };
  for (const input of $("parameters").querySelectorAll("[name]")) {
    const { name, value, dataset } = input;
    if (dataset.type === "flag") {
      if (dataset.said) order[name] = input.checked;
    } else if (value === "") continue;
    else if (dataset.type === "integer") order[name] = Number(value);
    else if (dataset.type === "headers") order[name] = parsed(value);
    else order[name] = value;
  }
  if (document.querySelector("input[name=often]:checked").value === "share") order.share = Number($("share").value) / 100;
  else order.times = Number($("times").value);
  if ($("only").value) order.client_user_id = $("only").value;
  return order;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function limit(event) {
  event.preventDefault();
  const value = Number($("per-second").value);
  const perSecond = value > 0 ? value : null;
  await ask("/_sandbox/rate-limit", { method: "PUT", body: JSON.stringify({ per_second: perSecond }) });
  toast(perSecond === null ? "No rate limit" : `At most ${perSecond} requests a second`);
}
