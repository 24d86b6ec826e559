// The tree as assistive technology sees it: the selected node, its path, its siblings and children.

const MOST = 60; // siblings, and children, on the page at once

function around(list, k) {
  const at = Math.max(0, Math.min(list.indexOf(k) - MOST / 2, list.length - MOST));
  return list.slice(at, at + MOST);
}

function showItems() {
  const k = state.selected;
  const ancestors = [];
  for (let p = nodes.parent[k]; p >= 0; p = nodes.parent[p]) ancestors.unshift(p);
  const siblings = k === 0 ? [0] : around(children[nodes.parent[k]], k);
  const inside = isClosed(k) ? [] : children[k].slice(0, MOST);
  const ordered = siblings.flatMap((each) => (each === k ? [k, ...inside] : [each]));
  byId("items").replaceChildren(...[...ancestors, ...ordered].map(item));
  tree.setAttribute("aria-activedescendant", `node-${k}`);
}

function item(k) {
  const siblings = k === 0 ? [0] : children[nodes.parent[k]];
  return make("div", {
    id: `node-${k}`, role: "treeitem", "aria-level": nodes.depth[k] + 1,
    "aria-setsize": siblings.length, "aria-posinset": siblings.indexOf(k) + 1,
    "aria-expanded": children[k].length ? String(!isClosed(k)) : null,
    "aria-selected": String(k === state.selected), "aria-label": inWords(k, ", "),
  });
}

// Where the selected node is drawn there is its item, for magnifiers that follow.
function placeItem(r) {
  const found = byId(`node-${state.selected}`);
  if (!found) return;
  const pixels = {left: screenX[state.selected] - r, top: screenY[state.selected] - r, width: 2 * r, height: 2 * r};
  for (const [key, value] of Object.entries(pixels)) found.style[key] = `${value}px`;
}
