"""Motion: the camera taken out, skeletons laid on each other, the bat followed, its speed and omega measured, drawn and saved."""

from __future__ import annotations

from pathlib import Path

from comfy_api.v0_0_2 import io, ui

from ..kinetics.errors import KineticsError
from ..kinetics.picks import lines_for, pick_name, read_marks
from .host import (
    image_tensor,
    open_clip,
    output_path,
    preview_image,
    preview_videos,
    report_progress,
    safe_stem,
    sentence_or_true,
    temp_folder,
    video_from,
)
from .io_types import CATEGORY, BatTrackSocket, CameraSocket, PoseSequenceSocket, SwingSocket
from .viewer_files import player_payload

BENCH = f"{CATEGORY}/Motion"


class TrackCamera(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_TrackCamera",
            display_name="Track Camera",
            category=BENCH,
            description="Measures how the camera panned, turned and zoomed, from the background behind the batter. Score bars, logos and watermarks "
            "that stand still on the screen are found and left out; a cut begins a new shot and is never crossed.",
            search_aliases=["stabilize", "camera motion", "pan", "zoom", "background", "homography", "match move"],
            has_intermediate_output=True,
            inputs=[
                io.Video.Input("clip", tooltip="One clip, or a list: the node runs once per clip."),
                io.Combo.Input(
                    "model", options=["auto", "still", "similarity", "homography"], default="auto",
                    tooltip="still: a tripod; only cuts and repeated frames are looked for. similarity: pan, zoom and roll. homography: also tilt in depth. auto: similarity, unless the homography fits clearly better.",
                ),
                PoseSequenceSocket.Input("skeleton", optional=True, tooltip="The batter's skeleton in this clip: the batter isn't background."),
            ],
            outputs=[CameraSocket.Output(display_name="camera", tooltip="For each frame the map into the reference frame of its shot.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip, model, skeleton=None) -> io.NodeOutput:
        from ..kinetics.motion.camera import track_camera
        from ..kinetics.plots.camera import plot_camera

        opened = open_clip(clip)
        camera = track_camera(opened, skeleton, model=model, progress=report_progress())
        return io.NodeOutput(camera, ui=preview_image(plot_camera(camera, opened.name), "camera"))


class StabiliseSkeleton(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_StabiliseSkeleton",
            display_name="Stabilise Skeleton",
            category=BENCH,
            description="Takes the camera's motion out of a skeleton: every joint is put where the reference frame of its shot would show it.",
            search_aliases=["remove camera", "stabilize pose", "pan", "zoom", "world coordinates"],
            inputs=[
                PoseSequenceSocket.Input("skeleton", tooltip="A skeleton in pixels of the clip."),
                CameraSocket.Input("camera", tooltip="Of the same clip, from Track Camera."),
            ],
            outputs=[PoseSequenceSocket.Output(display_name="skeleton", tooltip="The skeleton without the camera's motion; missing where the camera is unknown.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, skeleton, camera) -> io.NodeOutput:
        from ..kinetics.motion.camera import stabilise_pose

        return io.NodeOutput(stabilise_pose(skeleton, camera))


class StabiliseClip(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_StabiliseClip",
            display_name="Stabilise Clip",
            category=BENCH,
            description="Writes the clip as a camera that stands still would have seen it.",
            search_aliases=["stabilize video", "remove camera shake", "pan", "zoom", "lock camera"],
            has_intermediate_output=True,
            inputs=[
                io.Video.Input("clip", tooltip="The clip."),
                CameraSocket.Input("camera", tooltip="Of this clip, from Track Camera."),
                io.Combo.Input("canvas", options=["frame", "all"], default="frame", tooltip="frame: the clip's own picture. all: as large as all that the camera saw."),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The stabilised clip, at its own times.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip, camera, canvas) -> io.NodeOutput:
        from ..kinetics.motion.stabilise import stabilise_clip

        opened = open_clip(clip)
        output = temp_folder("stabilised") / f"{safe_stem(Path(opened.name).stem)}.mp4"
        stabilise_clip(opened, camera, output, canvas=canvas, progress=report_progress())
        return io.NodeOutput(video_from(output), ui=preview_videos([output]))


class AlignSkeletons(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_AlignSkeletons",
            display_name="Align Skeletons",
            category=BENCH,
            description="Procrustes: lays a skeleton on a reference by scale, rotation and shift, never by a reflection unless asked, "
            "weighted by confidence. The picture shows both before and after, and how well they fit.",
            search_aliases=["procrustes", "register", "normalise skeleton", "similarity", "umeyama", "retarget"],
            has_intermediate_output=True,
            inputs=[
                PoseSequenceSocket.Input("skeleton", tooltip="The skeleton that is moved."),
                PoseSequenceSocket.Input("reference", tooltip="The skeleton it is laid on."),
                io.Combo.Input(
                    "method", options=["one similarity", "per frame", "root-centred"], default="one similarity",
                    tooltip="one similarity: for all frames together, keeps the motion. per frame: compares postures, never speeds. root-centred: pelvis at the origin, in shoulder widths.",
                ),
                io.Combo.Input(
                    "time", options=["same seconds", "stretched", "DTW"], default="same seconds",
                    tooltip="Which frames belong together: those at the same second, the whole of one spread over the whole of the other, or what dynamic time warping finds.",
                ),
                io.Boolean.Input("mirror", default=False, tooltip="Mirror the skeleton first, to compare a left-hander with a right-hander."),
            ],
            outputs=[PoseSequenceSocket.Output(display_name="skeleton", tooltip="The skeleton in the reference's place, with its own times.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, skeleton, reference, method, time, mirror) -> io.NodeOutput:
        from ..kinetics.compare.align import compare_shots
        from ..kinetics.motion.procrustes import align_per_frame, align_sequence, centre_on_root, mirror_sequence, pair_frames
        from ..kinetics.plots.alignment import describe_fit, plot_alignment

        if time == "DTW":
            found = compare_shots(reference, skeleton, mirror=mirror)
            time_map, pairs = found.time_map.undo, found.alignment.path[:, ::-1]
        else:
            time_map, pairs = pair_frames(skeleton, reference, stretched=time == "stretched")
        if method == "root-centred":
            aligned = centre_on_root(mirror_sequence(skeleton) if mirror else skeleton)
            target = centre_on_root(reference)
        else:
            target = reference
            settings = {"mirror": mirror, "time_map": time_map}
            aligned = align_per_frame(skeleton, reference, **settings) if method == "per frame" else align_sequence(skeleton, reference, **settings)[0]
        picture = plot_alignment(
            skeleton, aligned, target, pairs=pairs, caption=describe_fit(skeleton, aligned.provenance["steps"][-1]), original=reference
        )
        return io.NodeOutput(aligned, ui=preview_image(picture, "align"))


class TrackBat(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_TrackBat",
            display_name="Track Bat",
            category=BENCH,
            description="Finds the hands and the tip of the bat in each frame: from a mask or boxes when you have them, else from the pixels by our own tracker. "
            "Where the tip can't be seen, or the evidence is weak, it is missing, never guessed; mark a few tips and the track follows them.",
            search_aliases=["bat tip", "bat speed", "toe", "racket", "club", "stick", "tracker", "SAM3"],
            has_intermediate_output=True,
            inputs=[
                io.Video.Input("clip", tooltip="The clip that the skeleton and the camera come from."),
                PoseSequenceSocket.Input("skeleton", tooltip="The batter's skeleton in this clip, in its own pixels (not stabilised)."),
                CameraSocket.Input("camera", tooltip="Of this clip, from Track Camera."),
                io.String.Input(
                    "marks", default="", multiline=True,
                    tooltip="Tips that you marked, one per line: frame, x, y (frame from 0; pixels), with the clip's name and a colon before it when it is for one clip of several. Two or three in the swing are enough; the button below lets you click on them.",
                ),
                io.Combo.Input("grip", options=["midpoint", "top", "bottom"], default="midpoint", tooltip="Where the hands are: between both, or the top or bottom hand on the handle."),
                io.Boolean.Input(
                    "forearm_proxy", default=False,
                    tooltip="Where no tip is found: prolong the forearms. A guess, flagged as one, with a wide error; off by default.",
                ),
                io.Mask.Input("masks", optional=True, tooltip="The bat's mask per frame, e.g. SAM3 asked for 'cricket bat': the most trusted source."),
                io.Custom("BOUNDING_BOX").Input("boxes", optional=True, extra_dict={"forceInput": True}, tooltip="The bat's box: one per frame, e.g. from a detector."),
            ],
            outputs=[BatTrackSocket.Output(display_name="bat", tooltip="Hands and tip per frame, with error and source.")],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, marks=None) -> bool | str:
        return sentence_or_true(lambda: read_marks(lines_for(marks or "")))

    @classmethod
    def execute(cls, clip, skeleton, camera, marks, grip, forearm_proxy, masks=None, boxes=None) -> io.NodeOutput:
        from ..kinetics.motion.bat import track_bat
        from ..kinetics.plots.bat_sheet import draw_bat_sheet

        opened = open_clip(clip)
        track = track_bat(
            opened, skeleton, camera, masks=masks, boxes=boxes, marks=read_marks(lines_for(marks, opened)), forearm=forearm_proxy, grip=grip,
            progress=report_progress(),
        )  # fmt: skip
        picker = player_payload([opened], [{"pose": skeleton, "track": track}], [pick_name(opened)])
        return io.NodeOutput(track, ui=preview_image(draw_bat_sheet(track, opened), "bat") | {"clip_player": [picker]})


class MeasureSwing(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_MeasureSwing",
            display_name="Measure Swing",
            category=BENCH,
            description="Tip speed and angular velocity \u03c9 of the bat with their standard errors, peaks, phases and impact, joint angles and speeds. "
            "The plot shows them with 1\u03c3 and 2\u03c3 bands; what is odd is said below it, never clipped.",
            search_aliases=["bat speed", "angular velocity", "omega", "tip speed", "kinematics", "savgol", "swing"],
            has_intermediate_output=True,
            inputs=[
                BatTrackSocket.Input("bat", tooltip="From Track Bat."),
                PoseSequenceSocket.Input("skeleton", optional=True, tooltip="The batter's skeleton in the clip's own pixels: gives joints, body heights and a check of the bat's reach."),
                CameraSocket.Input("camera", optional=True, tooltip="From Track Camera. Without it the camera is taken to stand still."),
                io.Combo.Input(
                    "unit", options=["auto", "m", "body", "px"], default="auto",
                    tooltip="auto: metres when a length is given below, else body heights. m without a length takes the bat to be 0.86 m long, and says so.",
                ),
                io.DynamicCombo.Input(
                    "known_length",
                    options=[
                        io.DynamicCombo.Option("none", []),
                        io.DynamicCombo.Option("bat", [io.Float.Input("metres", default=0.86, min=0.5, max=0.965, step=0.005, tooltip="Length of the whole bat in metres.")]),
                        io.DynamicCombo.Option("batter", [io.Float.Input("metres", default=1.8, min=1.0, max=2.3, step=0.01, tooltip="The batter's height in metres.")]),
                        io.DynamicCombo.Option("stumps (0.711 m)", two_points()),
                        io.DynamicCombo.Option("popping crease (1.22 m)", two_points()),
                        io.DynamicCombo.Option("marked", [io.Float.Input("metres", default=1.0, min=0.01, max=200.0, step=0.01, tooltip="The true length in metres."), *two_points()]),
                    ],
                    tooltip="A length that is known, for metres; its own error is kept apart from the random one.",
                ),
                io.DynamicCombo.Input(
                    "method",
                    options=[
                        io.DynamicCombo.Option("spline", []),
                        io.DynamicCombo.Option("centred differences", []),
                        io.DynamicCombo.Option(
                            "Savitzky-Golay",
                            [
                                io.Float.Input("window", default=0.2, min=0.02, max=2.0, step=0.01, tooltip="Length of the window in seconds."),
                                io.Int.Input("degree", default=2, min=1, max=7, tooltip="Degree of the polynomial."),
                            ],
                        ),
                    ],
                    tooltip="spline: the best at broadcast rates. The others flatten a swing's peak by 5 to 25 % at 25 to 30 frames a second.",
                ),
                io.Float.Input("exposure", default=0.0, min=0.0, max=1.0, step=0.0005, tooltip="Seconds that the shutter is open, for the flag on blur; 0: not known."),
            ],
            outputs=[
                SwingSocket.Output(display_name="swing", tooltip="The measurement."),
                io.Float.Output(display_name="peak_speed", tooltip="Peak tip speed, in the unit per second."),
                io.Image.Output(display_name="plot", tooltip="Speed and \u03c9 over time."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, bat, unit, known_length, method, exposure, skeleton=None, camera=None) -> io.NodeOutput:
        from ..kinetics.motion.measure import measure_swing
        from ..kinetics.plots.swing import plot_swing

        name = {"spline": "spline", "centred differences": "centred", "Savitzky-Golay": "savgol"}[method["method"]]
        swing = measure_swing(
            bat, skeleton, camera, scale=yardstick(known_length), unit=unit, method=name, window=method.get("window", 0.2),
            degree=method.get("degree", 2), exposure=exposure or None,
        )  # fmt: skip
        picture = plot_swing(swing)
        return io.NodeOutput(swing, swing.peak_tip_speed.value, image_tensor(picture), ui=preview_image(picture, "swing"))


class TrajectoryPlot(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_TrajectoryPlot",
            display_name="Trajectory Plot",
            category=BENCH,
            description="Draws the way of the bat's tip and of the hands over one frame of the clip, coloured by speed, with the camera's motion taken out.",
            search_aliases=["bat path", "swing path", "trail", "wagon wheel"],
            has_intermediate_output=True,
            inputs=[
                SwingSocket.Input("swing", tooltip="From Measure Swing."),
                io.Video.Input("clip", tooltip="The clip that it was measured in."),
            ],
            outputs=[io.Image.Output(display_name="plot", tooltip="The drawing.")],
        )

    @classmethod
    def execute(cls, swing, clip) -> io.NodeOutput:
        from ..kinetics.plots.trajectory import plot_trajectory

        picture = plot_trajectory(swing, open_clip(clip))
        return io.NodeOutput(image_tensor(picture), ui=preview_image(picture, "trajectory"))


class DrawSwing(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_DrawSwing",
            display_name="Draw Swing",
            category=BENCH,
            description="The clip with skeleton, bat, the tip's fading trail, and live dials of tip speed and \u03c9. Where nothing was measured, nothing is drawn.",
            search_aliases=["swing video", "overlay", "bat trail", "speed gun", "telestrator"],
            has_intermediate_output=True,
            inputs=[
                SwingSocket.Input("swing", tooltip="From Measure Swing."),
                io.Video.Input("clip", tooltip="The clip that it was measured in."),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The drawing, at the clip's own times.")],
        )

    @classmethod
    def execute(cls, swing, clip) -> io.NodeOutput:
        from ..kinetics.plots.swing_video import render_swing_video

        opened = open_clip(clip)
        output = temp_folder("swing") / f"{safe_stem(Path(opened.name).stem)}_swing.mp4"
        render_swing_video(swing, opened, output, progress=report_progress())
        return io.NodeOutput(video_from(output), ui=preview_videos([output]))


class SaveSwing(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_SaveSwing",
            display_name="Save Swing",
            category=BENCH,
            description="Saves a measurement: JSON and CSV for reading, NPZ for Python, TRC (markers in metres) for OpenSim and its kin.",
            search_aliases=["export swing", "csv", "json", "npz", "trc", "opensim", "spreadsheet"],
            is_output_node=True,
            inputs=[
                SwingSocket.Input("swing", tooltip="From Measure Swing."),
                io.String.Input("filename_prefix", default="correlated_kinetics/swing", tooltip="Name, or folder/name, inside ComfyUI's output folder."),
                io.Boolean.Input("json", default=True, tooltip="swing.json: everything."),
                io.Boolean.Input("csv", default=True, tooltip="One row per frame, units in the header."),
                io.Boolean.Input("npz", default=False, tooltip="Arrays for numpy."),
                io.Boolean.Input("trc", default=False, tooltip="Markers in metres; needs a known length, or takes the bat's usual one."),
            ],
            outputs=[],
        )

    @classmethod
    def execute(cls, swing, filename_prefix, **formats) -> io.NodeOutput:
        from ..kinetics.motion.export import export_swing

        wanted = [name for name in ("json", "csv", "npz", "trc") if formats[name]]
        if not wanted:
            raise KineticsError("Save Swing has no format switched on; switch on json, csv, npz or trc.")
        first = output_path(filename_prefix, f".{wanted[0]}", *swing.size)
        written = export_swing(swing, first.parent, wanted, name=first.stem)
        return io.NodeOutput(ui=ui.PreviewText("\n".join([path.name for path in written] + list(swing.flags))))


def two_points() -> list:
    """A length in the picture: two points of one frame."""
    return [
        io.Int.Input("frame", default=0, min=0, max=10_000_000, tooltip="The frame that the points lie in, from 0."),
        io.Float.Input("x1", default=0.0, min=-16384.0, max=16384.0, step=0.5, tooltip="First end, pixels from the left."),
        io.Float.Input("y1", default=0.0, min=-16384.0, max=16384.0, step=0.5, tooltip="First end, pixels from the top."),
        io.Float.Input("x2", default=0.0, min=-16384.0, max=16384.0, step=0.5, tooltip="Other end, pixels from the left."),
        io.Float.Input("y2", default=0.0, min=-16384.0, max=16384.0, step=0.5, tooltip="Other end, pixels from the top."),
    ]


def yardstick(choice: dict):
    """What kinetics measures with, from the socket's value."""
    from ..kinetics.motion.scale import CREASE, STUMPS, BatLength, BodyHeight, MarkedLength

    match choice["known_length"]:
        case "none":
            return None
        case "bat":
            return BatLength(choice["metres"])
        case "batter":
            return BodyHeight(choice["metres"])
        case kind:
            metres, name = {"stumps (0.711 m)": (STUMPS, "the stumps"), "popping crease (1.22 m)": (CREASE, "the crease")}.get(
                kind, (choice.get("metres"), "a marked length")
            )
            return MarkedLength(choice["frame"], (choice["x1"], choice["y1"]), (choice["x2"], choice["y2"]), metres, name)
