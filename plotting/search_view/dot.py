"""A planning step as text for Graphviz, which has the last word on where nodes are."""

from __future__ import annotations

from plotting.search_view.record import Search

#: By what a node is; the first that holds.
_SHAPES = {"terminated": "box", "truncated": "diamond", "pruned": "plain"}


def dot(search: Search) -> bytes:
    """One node and one edge a line; shapes as on the page, the chosen path bold."""
    path = set(search.chosen_path())
    lines = [
        f"digraph {_quoted(search.title or 'search')} {{",
        "  node [shape=circle, fontsize=9];",
        "  edge [fontsize=9, arrowhead=none];",
    ]
    for node in range(len(search)):
        flags = search.flags(node)
        shape = next((_SHAPES[flag] for flag in _SHAPES if flag in flags), "circle")
        styles = [
            *(["filled"] if "solved" in flags and shape != "plain" else []),
            *(["dashed"] if "cached" in flags else []),
            *(["bold"] if node in path else []),
        ]
        visits = f"\n{search.nodes.visits[node]} visits" if search.nodes.visits else ""
        label = (
            f"{'× ' if shape == 'plain' else ''}{node}\n{search.nodes.returns[node]:.4g}{visits}"
        )
        said = f"label={_quoted(label)}, tooltip={_quoted(', '.join(flags) or 'open')}"
        said += f", shape={shape}" if shape != "circle" else ""
        said += f", style={_quoted(','.join(styles))}" if styles else ""
        lines.append(f"  {node} [{said}];")
        if node:
            reward = search.nodes.reward[node]
            told = f" {reward:+.4g}" if search.rewarded(node) else ""
            said = f"label={_quoted(search.actions[search.nodes.action[node]] + told)}"
            said += f", penwidth={1 + 4 * search.width(node):.2g}" if search.nodes.visits else ""
            said += ", style=bold" if node in path else ""
            lines.append(f"  {search.nodes.parent[node]} -> {node} [{said}];")
    return "\n".join([*lines, "}", ""]).encode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
