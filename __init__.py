"""Correlated Kinetics: a ComfyUI node pack. This file only hands the host its node list, its renames, its web folder and the browser's route."""

from comfy_api.v0_0_2 import ComfyAPI, ComfyExtension

WEB_DIRECTORY = "./web"


class CorrelatedKinetics(ComfyExtension):
    async def on_load(self):
        from server import PromptServer

        from .nodes.archive_host import add_route
        from .nodes.renames import RENAMES

        for rename in RENAMES:
            await ComfyAPI().node_replacement.register(rename)
        add_route(PromptServer.instance.routes)

    async def get_node_list(self):
        from .nodes import NODE_CLASS_MAPPINGS

        return list(NODE_CLASS_MAPPINGS.values())


async def comfy_entrypoint():
    return CorrelatedKinetics()
