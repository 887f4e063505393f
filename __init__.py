"""Correlated Kinetics: a ComfyUI node pack. This file only hands the host its node list and its web folder."""

from comfy_api.v0_0_2 import ComfyExtension

WEB_DIRECTORY = "./web"


class CorrelatedKinetics(ComfyExtension):
    async def get_node_list(self):
        from .nodes import NODES

        return NODES


async def comfy_entrypoint():
    return CorrelatedKinetics()
