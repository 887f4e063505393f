"""Correlated Kinetics: a ComfyUI node pack. This file only hands the host its node list, its renames and its web folder."""

from comfy_api.v0_0_2 import ComfyAPI, ComfyExtension

WEB_DIRECTORY = "./web"


class CorrelatedKinetics(ComfyExtension):
    async def on_load(self):
        from .nodes.renames import RENAMES

        for rename in RENAMES:
            await ComfyAPI().node_replacement.register(rename)

    async def get_node_list(self):
        from .nodes import NODE_CLASS_MAPPINGS

        return list(NODE_CLASS_MAPPINGS.values())


async def comfy_entrypoint():
    return CorrelatedKinetics()
