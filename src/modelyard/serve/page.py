"""The page that describes a server: it draws the server's own OpenAPI document and loads nothing from elsewhere."""

from __future__ import annotations

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>modelyard serve</title>
<style>
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{margin:0}h2{margin:2rem 0 .5rem;font-size:1.1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;vertical-align:top;
border-bottom:1px solid #8884}
code,pre,textarea{font:14px/1.45 ui-monospace,monospace}
textarea{width:100%;height:9rem;box-sizing:border-box}
pre{background:#8881;padding:.8rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
button{font:inherit;padding:.3rem 1rem;margin:.4rem 0}.verb{text-transform:uppercase;font-size:.8rem}
#wrong{color:#c33}
</style>
<h1 id="title">modelyard serve</h1><p id="about"></p>
<p><label>Token <input id="token" type="password" autocomplete="off" placeholder="if the server wants one"></label></p>
<p id="wrong" role="alert"></p>
<h2>Inputs</h2><table id="inputs"></table>
<h2>Outputs</h2><table id="outputs"></table>
<h2>Try it</h2>
<textarea id="body" aria-label="Body of the request" spellcheck="false"></textarea>
<button id="send">POST /predict</button><pre id="answer" aria-live="polite" hidden></pre>
<h2>From a shell</h2><pre id="shell"></pre>
<h2>Routes</h2><table id="routes"></table>
<script>
const at = id => document.getElementById(id);
const headers = more => at("token").value ? {...more, Authorization: "Bearer " + at("token").value} : more;
function row(table, cells) {
  const line = table.insertRow();
  for (const [text, code] of cells) {
    const cell = line.insertCell(), inside = code ? cell.appendChild(document.createElement("code")) : cell;
    inside.textContent = text;
  }
}
function told(schema) {
  const shape = [];
  while (schema.type === "array") {
    shape.push(schema.minItems === schema.maxItems ? schema.minItems : "?");
    schema = schema.items;
  }
  const kind = schema.type || (schema.anyOf || []).map(each => each.type).join(" or ");
  return [shape.length ? "(" + shape.join(", ") + ")" : "one", kind];
}
function example(schema) {
  if (schema.type === "array")
    return Array.from({length: Math.min(schema.minItems || 1, 8)}, () => example(schema.items));
  if (schema.type === "object")
    return Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, example(each)]));
  return schema.type === "boolean" ? false : schema.type === "string" ? "text" : 0;
}
async function draw() {
  const answer = await fetch("openapi.json", {headers: headers({})});
  if (!answer.ok) { at("wrong").textContent = "The server wants a token: type it above."; return; }
  at("wrong").textContent = "";
  const api = await answer.json(), post = api.paths["/predict"].post;
  document.title = at("title").textContent = api.info.title;
  at("about").textContent = api.info.description;
  const taken = post.requestBody.content["application/json"].schema;
  const given = post.responses["200"].content["application/json"].schema;
  for (const [id, schema] of [["inputs", taken.properties.inputs], ["outputs", given.properties.outputs]]) {
    at(id).textContent = "";
    for (const [name, each] of Object.entries(schema.properties)) {
      const [shape, kind] = told(each);
      row(at(id), [[name, true], [shape, true], [kind]]);
    }
  }
  const text = JSON.stringify(example(taken));
  at("body").value = text;
  const type = "-H 'Content-Type: application/json'";
  at("shell").textContent = `curl ${location.origin}/predict ${type} -d '${text}'`;
  at("routes").textContent = "";
  for (const [path, verbs] of Object.entries(api.paths))
    for (const [verb, each] of Object.entries(verbs))
      row(at("routes"), [[verb.toUpperCase() + " " + path, true], [each.summary || ""]]);
}
at("token").addEventListener("change", draw);
at("send").addEventListener("click", async () => {
  const sent = {method: "POST", headers: headers({"Content-Type": "application/json"}), body: at("body").value};
  const answer = await fetch("predict", sent);
  at("answer").hidden = false;
  at("answer").textContent = answer.status + " " + await answer.text();
});
draw();
</script></html>
"""
