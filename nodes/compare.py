"""Shots compared: two laid on each other in space and time, the kinetic chain, and how alike many are."""

from __future__ import annotations

from comfy_api.v0_0_2 import io, ui

from ..kinetics.errors import KineticsError
from ..kinetics.names import short_name, tell_apart
from .host import image_tensor, one, output_path, preview_image, preview_images, report_progress
from .io_types import CATEGORY, STROKE, STROKE_TIP, AlignmentSocket, ChainSocket, PoseSequenceSocket, ShotSimilaritySocket

BENCH = f"{CATEGORY}/Compare"


def feature_choice() -> io.DynamicCombo.Input:
    """What two shots are compared by."""
    weight = {"min": 0.0, "max": 100.0, "step": 0.1}
    return io.DynamicCombo.Input(
        "features",
        options=[
            *(io.DynamicCombo.Option(kind, []) for kind in ("positions", "angles", "velocities", "tip speed")),
            io.DynamicCombo.Option(
                "weighted",
                [
                    io.Float.Input("positions", default=1.0, **weight, tooltip="Weight of the joints' places; 0 leaves them out."),
                    io.Float.Input("angles", default=1.0, **weight, tooltip="Weight of elbows, shoulders, hips and knees; 0 leaves them out."),
                    io.Float.Input("velocities", default=0.0, **weight, tooltip="Weight of the joints' velocities; 0 leaves them out."),
                    io.Float.Input("tip_speed", default=0.0, **weight, tooltip="Weight of the bat tip's speed; 0 leaves it out."),
                ],
            ),
        ],
        tooltip="What decides which frames belong together: places of the joints, angles, velocities, the bat tip's speed, or several, each scaled to its own spread.",
    )  # fmt: skip


class CompareShots(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_CompareShots",
            display_name="Compare Two Shots",
            category=BENCH,
            description="Lays one shot on another in space (Procrustes) and in time (dynamic time warping), in turn, until both fit. "
            "The picture shows the correlation path, both batters at matched moments, and the difference of tempo in words.",
            search_aliases=["dtw", "dynamic time warping", "correlation path", "alignment", "tempo", "sync", "similarity"],
            has_intermediate_output=True,
            inputs=[
                io.MultiType.Input("reference", STROKE, tooltip=f"The shot that the other is laid on: {STROKE_TIP}."),
                io.MultiType.Input("other", STROKE, tooltip=f"The shot that is laid on it: {STROKE_TIP}."),
                feature_choice(),
                io.Float.Input("band", default=0.0, min=0.0, max=10000.0, step=0.05, tooltip="Sakoe-Chiba band, how far the path may leave the diagonal: 0 as far as it likes; up to 1 a part of the shorter shot; above 1 frames."),
                io.Boolean.Input("from_pelvis", default=False, tooltip="Take the pelvis' travel out of every frame, and the camera's with it: for skeletons that were not stabilised."),
                io.Boolean.Input("mirror", default=False, tooltip="Mirror the other shot: a left-hander laid on a right-hander."),
                io.Boolean.Input("meet_at_impact", default=True, tooltip="The path pairs both impacts. Needs two swings whose impact is known; without, it has no effect."),
                io.String.Input("joints", default="", tooltip="Joints that count, separated by commas; empty takes the limbs' joints that both have."),
            ],
            outputs=[
                AlignmentSocket.Output(display_name="alignment", tooltip="Path, similarity and time map of the two."),
                PoseSequenceSocket.Output(display_name="skeleton", tooltip="The other shot in the reference's place, at its own times."),
                io.Float.Output(display_name="distance", tooltip="How far the joints lie apart along the path (RMS), in trunk lengths."),
                io.Image.Output(display_name="plot", tooltip="The correlation path."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, reference, other, features, band, from_pelvis, mirror, meet_at_impact, joints) -> io.NodeOutput:
        from ..kinetics.compare.align import compare_shots
        from ..kinetics.compare.shot import as_shot, pair_speeds
        from ..kinetics.plots.corrpath import plot_corrpath

        shots = as_shot(reference), as_shot(other)
        impact = (shots[0].impact, shots[1].impact)
        speeds = pair_speeds(shots)
        found = compare_shots(
            shots[0].pose, shots[1].pose, features=feature_weights(features), joints=joint_names(joints), band=band_radius(band),
            root=from_pelvis, mirror=mirror, tip_speeds=speeds, impact=impact, through_impact=meet_at_impact and None not in impact,
        )  # fmt: skip
        series = None if speeds is None else (*speeds, f"tip speed ({shots[0].speed_unit})")
        picture = plot_corrpath(found, series=series)
        return io.NodeOutput(found, found.aligned, found.rms, image_tensor(picture), ui=preview_image(picture, "corrpath"))


class FindShot(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_FindShot",
            display_name="Find Shot in Clip",
            category=BENCH,
            description="Finds where in a long clip a shot is played most alike, by posture alone (subsequence DTW, open at both ends).",
            search_aliases=["subsequence", "search swing", "trim to shot", "locate", "open-end dtw"],
            has_intermediate_output=True,
            inputs=[
                io.MultiType.Input("shot", STROKE, tooltip=f"The stroke that is looked for: {STROKE_TIP}."),
                PoseSequenceSocket.Input("clip", tooltip="The skeleton of the long clip."),
                io.Boolean.Input("mirror", default=False, tooltip="Look for the mirror image: a left-hander's stroke in a right-hander's clip."),
            ],
            outputs=[
                PoseSequenceSocket.Output(display_name="skeleton", tooltip="The clip's skeleton in the frames where the shot is played, at its own times."),
                io.Float.Output(display_name="start_time", tooltip="Where the shot begins in the clip, seconds; fits Video Slice."),
                io.Float.Output(display_name="duration", tooltip="Seconds that it takes there."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, shot, clip, mirror) -> io.NodeOutput:
        import numpy as np

        from ..kinetics.compare.align import cut_shot
        from ..kinetics.compare.shot import as_shot

        wanted = as_shot(shot).pose
        part, distance = cut_shot(wanted, clip, mirror=mirror)
        # The last frame stays on the screen for as long as the others.
        start, duration = float(part.t[0]), float(part.t[-1] - part.t[0] + np.median(np.diff(clip.t)))
        text = (
            f"Found from {start:.2f} to {part.t[-1]:.2f} s ({len(part)} of {len(clip)} frames); joints lie {100 * distance:.0f} % of a trunk length "
            f"apart (RMS). The shot looked for takes {wanted.t[-1] - wanted.t[0]:.2f} s."
        )
        return io.NodeOutput(part, start, duration, ui=ui.PreviewText(text))


class KineticChain(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_KineticChain",
            display_name="Kinetic Chain",
            category=BENCH,
            description="Which segment of the body leads which, by how many milliseconds, and the strongest chain from the ground to the bat. "
            "That no chain reaches the bat is an answer. With six shots or more, what is beyond chance is told from what isn't.",
            search_aliases=["proximal to distal", "sequence", "lagged correlation", "cross-correlation", "biomechanics", "kinematic chain", "timing"],
            has_intermediate_output=True,
            is_input_list=True,
            inputs=[
                io.MultiType.Input("shots", STROKE, tooltip=f"One shot or a list of them, each {STROKE_TIP} with a bat tip."),
                io.DynamicCombo.Input(
                    "preset",
                    options=[
                        io.DynamicCombo.Option(
                            "default",
                            [
                                io.Float.Input("least_correlation", default=0.4, min=0.05, max=0.99, step=0.01, tooltip="Weakest correlation of an edge (0.35 to 0.50 is usual)."),
                                io.Float.Input("longest_lag", default=0.2, min=0.02, max=1.0, step=0.01, tooltip="Longest lag that is searched, seconds."),
                                io.Float.Input("seconds_before", default=0.6, min=0.1, max=5.0, step=0.05, tooltip="Of the window round the bat's fastest moment, or impact."),
                                io.Float.Input("seconds_after", default=0.15, min=0.05, max=5.0, step=0.05, tooltip="Of the same window."),
                                io.Combo.Input("clock", options=["body", "impact"], default="body", tooltip="What shots are laid together on: the middle of the body's own activity, or impact (then each shot has to be a swing whose impact is known)."),
                                io.Boolean.Input("correct_for_many", default=True, tooltip="Correct p for the number of pairs tested (false discovery rate)."),
                            ],
                        ),
                        io.DynamicCombo.Option("whitepaper", []),
                    ],
                    tooltip="default: the heaviest path to the bat, lags finer than a frame, chance told by re-pairing the clips. whitepaper: step by step as published.",
                ),
                io.Boolean.Input("common_time", default=True, tooltip="Tell the lags across shots on the time of the first shot, by DTW; off: each shot's own seconds."),
            ],
            outputs=[
                ChainSocket.Output(display_name="chain", tooltip="Edges, path and verdict of every shot."),
                io.String.Output(display_name="verdict", tooltip="A sentence per shot."),
                io.Image.Output(display_name="plots", tooltip="A picture per shot, and one of what they share."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, shots, preset, common_time) -> io.NodeOutput:
        import torch

        from ..kinetics.compare.chain import find_chains
        from ..kinetics.compare.chain_group import common_times
        from ..kinetics.compare.shot import as_shot
        from ..kinetics.plots.chain import plot_chain, plot_chains

        strokes, choice = [as_shot(shot) for shot in shots], one(preset)
        settings = {}
        if choice["preset"] == "default":
            settings = {
                "theta": choice["least_correlation"], "reach": choice["longest_lag"],
                "window": (choice["seconds_before"], choice["seconds_after"]),
                "correction": "fdr" if choice["correct_for_many"] else "none",
            }  # fmt: skip
            if choice["clock"] == "impact":
                settings["anchors"] = known_impacts(strokes)
        poses = [stroke.pose for stroke in strokes]
        maps = common_times(poses, [stroke.impact for stroke in strokes]) if common_time[0] and len(strokes) > 1 else None
        found = find_chains(poses, choice["preset"], time_maps=maps, progress=report_progress(), **settings)
        pictures = [plot_chain(chain) for chain in found.chains]
        if found.across is not None:
            pictures.append(plot_chains(found))
        verdict = "\n".join(f"{chain.name}: {chain.verdict}" for chain in found.chains)
        plots = torch.cat([image_tensor(picture) for picture in pictures])
        return io.NodeOutput(found, verdict, plots, ui=preview_images(pictures[::-1], "chain"))


class ShotSimilarity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_ShotSimilarity",
            display_name="Shot Similarity",
            category=BENCH,
            description="How alike many shots are: every pair warped onto each other, a heat map with its dendrogram, a sheet of all shots in that order, "
            "and the shots nearest to one of them.",
            search_aliases=["distance matrix", "heat map", "dendrogram", "cluster", "nearest", "all pairs", "dtw"],
            has_intermediate_output=True,
            is_input_list=True,
            inputs=[
                io.MultiType.Input("shots", STROKE, tooltip=f"A list of shots, each {STROKE_TIP}."),
                feature_choice(),
                io.Float.Input("band", default=0.0, min=0.0, max=10000.0, step=0.05, tooltip="Sakoe-Chiba band: 0 none; up to 1 a part of the shorter shot; above 1 frames."),
                io.Int.Input("query", default=1, min=1, max=100000, tooltip="The shot, from 1, whose nearest are told."),
                io.Int.Input("count", default=3, min=1, max=1000, tooltip="How many of the nearest are told."),
                io.String.Input("names", default="", multiline=True, tooltip="A line per shot; empty takes the clips' names."),
            ],
            outputs=[
                ShotSimilaritySocket.Output(display_name="similarity", tooltip="All distances, for Save Analysis."),
                io.String.Output(display_name="nearest", tooltip="The shots nearest to the query, a line each."),
                io.Image.Output(display_name="heat_map", tooltip="Distances and dendrogram."),
                io.Image.Output(display_name="sheet", tooltip="All shots at matched moments, like ones together."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, shots, features, band, query, count, names) -> io.NodeOutput:
        from ..kinetics.compare.shot import as_shot, pair_speeds
        from ..kinetics.compare.similarity import compare_all
        from ..kinetics.plots.similarity import plot_similarity, plot_similarity_sheet

        strokes = [as_shot(shot) for shot in shots]
        poses = [stroke.pose for stroke in strokes]
        titles = [line.strip() for text in names for line in text.splitlines() if line.strip()] or shot_names(poses)
        if one(query) > len(strokes):
            raise KineticsError(f"Shot Similarity has query {one(query)}, but there are {len(strokes)} shots; give a number from 1 to {len(strokes)}.")
        found = compare_all(
            poses, titles, features=feature_weights(one(features)), band=band_radius(one(band)), tip_speeds=pair_speeds(strokes),
            progress=report_progress(),
        )  # fmt: skip
        near = [f"{name}: {distance:.3g} {found.unit}".strip() for name, distance in found.nearest(one(query) - 1, one(count))]
        heat, sheet = plot_similarity(found), plot_similarity_sheet(found, poses, impacts=[stroke.impact for stroke in strokes])
        return io.NodeOutput(found, "\n".join(near), image_tensor(heat), image_tensor(sheet), ui=preview_images([heat, sheet], "similarity"))


class SaveAnalysis(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_SaveAnalysis",
            display_name="Save Analysis",
            category=BENCH,
            description="Saves a comparison, a kinetic chain or distances between shots as JSON, as the command line does.",
            search_aliases=["export dtw", "export chain", "json", "path", "distances"],
            is_output_node=True,
            inputs=[
                io.MultiType.Input("analysis", [AlignmentSocket, ChainSocket, ShotSimilaritySocket], tooltip="From Compare Two Shots, Kinetic Chain or Shot Similarity."),
                io.String.Input("filename_prefix", default="correlated_kinetics/analysis", tooltip="Name, or folder/name, inside ComfyUI's output folder."),
            ],
            outputs=[],
        )  # fmt: skip

    @classmethod
    def execute(cls, analysis, filename_prefix) -> io.NodeOutput:
        from ..kinetics.files import write_json

        path = output_path(filename_prefix, ".json", 0, 0)
        write_json(path, analysis.to_dict())
        return io.NodeOutput(ui=ui.PreviewText(path.name))


def feature_weights(choice: dict) -> dict[str, float]:
    """Kinds and weights as kinetics names them."""
    if choice["features"] != "weighted":
        return {choice["features"].replace(" ", "_"): 1.0}
    weights = {kind: choice[kind] for kind in ("positions", "angles", "velocities", "tip_speed") if choice[kind] > 0}
    if not weights:
        raise KineticsError("All weights of the features are 0; give at least one a weight above 0.")
    return weights


def band_radius(band: float) -> float | int | None:
    """None without a band, a part up to 1, whole frames above."""
    return None if band == 0 else band if band <= 1 else round(band)


def joint_names(text: str) -> list[str] | None:
    """Names separated by commas; None when there are none."""
    return [name.strip() for name in text.split(",") if name.strip()] or None


def shot_names(poses: list) -> list[str]:
    """The clips' names, made different from each other by a number."""
    return tell_apart([short_name(pose.source) or f"shot {k}" for k, pose in enumerate(poses, 1)], "{} {}")


def known_impacts(shots: list) -> list[float]:
    """When bat meets ball in each shot."""
    for number, shot in enumerate(shots, 1):
        if shot.impact is None:
            raise KineticsError(f"The impact of shot {number} is not known; plug in swings whose impact was found, or set the clock to body.")
    return [shot.impact for shot in shots]
