#pragma once
/// The page of Format::Html. Marks between @ signs are replaced once each, in this order.
#include <string_view>

namespace tandem::machine::profile {

inline constexpr std::string_view kFlameGraphPage = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Tandem profile</title>
<style>
body { margin: 0; font: 13px system-ui, sans-serif; background: #fff; color: #222; }
header { position: sticky; top: 0; z-index: 1; display: flex; gap: 1em; align-items: center;
  padding: 6px 10px; background: #f4f4f4; border-bottom: 1px solid #ccc; }
h1 { font-size: 14px; margin: 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#found { min-width: 8em; }
#detail { padding: 4px 10px; height: 1.4em; white-space: nowrap; overflow: hidden; font-family: monospace; }
#graph { position: relative; margin: 0 10px; }
#graph div { position: absolute; box-sizing: border-box; height: 17px; overflow: hidden; cursor: pointer;
  border: solid #fff; border-width: 0 1px 1px 0; padding: 0 3px; font: 12px/16px monospace; white-space: nowrap; }
#graph div:hover { filter: brightness(0.85); }
</style>
</head>
<body>
<header>
<h1 id="title"></h1>
<input id="search" type="search" placeholder="search (regular expression)" size="28">
<span id="found"></span>
<button id="all">Show all</button>
</header>
<div id="detail"></div>
<div id="graph"></div>
<script>
"use strict";
const title = @TITLE@, unit = @UNIT@, scale = @SCALE@;
const names = @NAMES@;
const root = { name: "all", weight: @TOTAL@, parent: null, depth: 0 };
root.callees = nodes(@TREE@, root);

const kRow = 17;
const graph = document.getElementById("graph");
const detail = document.getElementById("detail");
const search = document.getElementById("search");
let focus = root, pattern = null;

function nodes(list, parent) {
  return list.map(([name, weight, callees]) => {
    const node = { name: names[name], weight, parent, depth: parent.depth + 1 };
    node.callees = nodes(callees, node);
    return node;
  }).sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

// Where time goes by what executes it: purple; kernel: orange; user: blue; processes: grey.
function colour(node) {
  if (pattern !== null && pattern.test(node.name)) return "#ee82ee";
  let hash = 0;
  for (const c of node.name) hash = (hash * 31 + c.codePointAt(0)) % 997;
  const light = 68 + hash % 14;
  if (node.depth < 2) return `hsl(0 0% ${light + 8}%)`;
  if (node.name.startsWith("[")) return `hsl(275 45% ${light}%)`;
  return node.name.endsWith("_[k]") ? `hsl(${24 + hash % 12} 80% ${light}%)` : `hsl(${200 + hash % 16} 60% ${light}%)`;
}

function describe(node) {
  const value = (node.weight / scale).toLocaleString(undefined, { maximumFractionDigits: 1 });
  return `${node.name}: ${value} ${unit}, ${(100 * node.weight / root.weight).toFixed(2)} %`;
}

function draw() {
  const width = graph.clientWidth;
  const boxes = document.createDocumentFragment();
  let rows = 0;
  const place = (node, left, size) => {
    if (size < 1.5) return;
    rows = Math.max(rows, node.depth + 1);
    const box = document.createElement("div");
    box.style.cssText = `left:${left}px;top:${node.depth * kRow}px;width:${size}px;background:${colour(node)}`;
    box.textContent = size > 24 ? node.name : "";
    box.title = describe(node);
    box.onmouseenter = () => { detail.textContent = describe(node); };
    box.onclick = () => { focus = node; draw(); };
    boxes.append(box);
  };
  const callees = (node, left, size) => {
    for (const callee of node.callees) {
      const part = size * callee.weight / node.weight;
      place(callee, left, part);
      if (part >= 1.5) callees(callee, left, part);
      left += part;
    }
  };
  for (let node = focus; node !== null; node = node.parent) place(node, 0, width);
  callees(focus, 0, width);
  graph.replaceChildren(boxes);
  graph.style.height = `${rows * kRow + 20}px`;
}

// The share of what is found, functions inside others that are found counted once.
function matched(node) {
  if (pattern.test(node.name)) return node.weight;
  return node.callees.reduce((sum, callee) => sum + matched(callee), 0);
}

search.oninput = () => {
  const found = document.getElementById("found");
  pattern = null;
  found.textContent = "";
  if (search.value !== "") {
    try {
      pattern = new RegExp(search.value, "i");
      found.textContent = `${(100 * matched(root) / root.weight).toFixed(2)} %`;
    } catch {
      found.textContent = "no regular expression";
    }
  }
  draw();
};
document.getElementById("all").onclick = () => { focus = root; draw(); };
document.getElementById("title").textContent = `${title}: ${describe(root)}`;
window.onresize = draw;
draw();
</script>
</body>
</html>
)page";

} // namespace tandem::machine::profile
