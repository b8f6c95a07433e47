// The snippets of the specification, cut out of its text.

import { readFileSync } from "node:fs";

const text = readFileSync(new URL("specification.txt", import.meta.url), "utf8");

// The text from the first line that starts so to the last line that ends so, both included.
function cut(start, end) {
  const from = text.indexOf(`\n${start}`) + 1;
  const to = end === undefined ? text.length : text.indexOf(end, from) + end.length;
  if (from === 0 || to < from) throw new Error(`the specification has no snippet from ${start} to ${end}`);
  return text.slice(from, to);
}

export const snippets = {
  curl: cut("curl -X POST", 'conversations/"'),
  jquery: cut("var settings = {", "\n});"),
  xhr: cut("var data = JSON.stringify({", "xhr.send(data);"),
  node: cut('var request = require("request");', "\n});"),
  php: cut("<?php", "echo $ex;\n}"),
  requests: cut("import requests", "print(response.text)"),
  httpClient: cut("import http.client"),
};

// The JSON that all of them send.
export const message = {
  content: "Message sent using API",
  user: 926,
  source: 2,
  source_context: { name: "This is source_context used in API", id: 123 },
};

// A snippet with an address, an id and a key of ours; nothing else is changed, and each must have been there.
export function filledIn(snippet, address, id, key) {
  let filled = snippet;
  const put = (old, replacement) => {
    if (!filled.includes(old)) throw new Error(`the snippet has no ${old}`);
    filled = filled.replaceAll(old, replacement);
  };
  put(address.old, address.new);
  put(":client_user_id", id);
  put("<your_64_char_api_key>", key);
  return filled;
}
