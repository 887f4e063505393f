"""Nodes and inputs renamed since 0.1.0, so that workflows saved under the old names open and run as the new ones.

A rename is one line of :data:`RENAMES`, kept for good: ``io.NodeReplace(new_node_id="CK_New", old_node_id="CK_Old")``. With the ids alone
the canvas carries over every input of the same name. A prompt in API form loses its inputs then (ComfyUI 0.30,
``app/node_replace_manager.py``), so give ``input_mapping`` too where scripts are likely to use the node; it must name every input that is
to stay, and none that a prompt may leave out.
"""

from __future__ import annotations

from comfy_api.v0_0_2 import io

RENAMES: tuple[io.NodeReplace, ...] = ()
