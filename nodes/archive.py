"""Archives of shots: built from many clips, searched for what is most alike, and looked through."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import folder_paths
from comfy_api.v0_0_2 import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..kinetics.errors import KineticsError
from ..kinetics.names import short_name
from .archive_host import (
    ARCHIVES,
    NO_ARCHIVE,
    archive_files,
    archive_names,
    archive_path,
    check_place,
    clip_row,
    clips_below,
    known,
    open_archive,
    read_clusters,
)
from .clips import NO_FOLDER
from .host import (
    clip_folders,
    draw_samples,
    fingerprint_files,
    input_folder,
    model_folders,
    one,
    open_clip,
    preview_image,
    preview_videos,
    report_progress,
    sentence_or_true,
    temp_folder,
    video_from,
)
from .io_types import CATEGORY, STROKE, STROKE_TIP, PoseSequenceSocket
from .train import check_name
from .viewer_files import write_data

BENCH = f"{CATEGORY}/Archive"

#: A composite shows so many seconds before and after impact at most, however long the clips are.
BEFORE, AFTER = 2.0, 1.5

#: Failed clips that are told in the node; the report tells all.
FAILURES = 5

TILE, RATE = (480, 270), Fraction(30)


class ArchiveReader(io.ComfyNode):
    """What the nodes that read an archive share: the choice of it, and when they run again."""

    @staticmethod
    def archive_inputs() -> list[io.Input]:
        return [
            io.Combo.Input("archive", options=[*archive_names(), NO_ARCHIVE], tooltip="An archive that Build Archive or the command line wrote, in ComfyUI's output/correlated_kinetics/archives or anywhere in its input folder. Press R to look again."),
            io.String.Input("built", optional=True, force_input=True, tooltip="From Build Archive: read this one instead."),
        ]  # fmt: skip

    @classmethod
    def validate_inputs(cls, archive, **linked) -> bool | str:
        return True if "built" in linked else sentence_or_true(lambda: archive_path(archive))

    @classmethod
    def fingerprint_inputs(cls, archive, built=None, **others):
        return fingerprint_files(archive_files(built or archive))


class BuildArchive(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_BuildArchive",
            display_name="Build Archive",
            category=BENCH,
            description="Measures every clip of a folder, or of a list, into an archive that can be searched: skeleton, swing, kinetic chain, nearest shots and clusters. "
            "What is in the archive already is not measured again; clips that can't be read are told with their reason.",
            search_aliases=["database", "library", "index clips", "batch measure", "parquet", "collection", "many clips", "dataset of shots"],
            is_output_node=True,
            is_input_list=True,
            inputs=[
                io.Video.Input("clips", optional=True, tooltip="Clips from files, besides those of the folder; whole ones, not trimmed."),
                io.Combo.Input("folder", options=[NO_FOLDER, *clip_folders()], default=NO_FOLDER, tooltip="A folder inside ComfyUI's input folder; all videos in it and in its own folders are measured."),
                io.String.Input("name", default="shots", tooltip="The archive's folder in ComfyUI's output/correlated_kinetics/archives. One that is there is added to."),
                io.Int.Input("workers", default=0, min=0, max=256, tooltip="Clips measured at the same time, each on one core; 0 takes one per core."),
                io.Boolean.Input("retry", default=False, tooltip="Try the clips again that failed before."),
            ],
            outputs=[
                io.String.Output(display_name="archive", tooltip="The archive's name, for Archive Search and Archive Browser."),
                io.String.Output(display_name="report", tooltip="What was measured, what failed, and where the page with all of it lies."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, folder, name) -> bool | str:
        def check() -> None:
            if one(name) is not None:
                check_name(one(name))
            if one(folder) not in (None, NO_FOLDER):
                input_folder(one(folder))

        return sentence_or_true(check)

    @classmethod
    def fingerprint_inputs(cls, folder, name, workers, retry, clips=None):
        return "" if one(folder) in (None, NO_FOLDER) else fingerprint_files(clips_below(input_folder(one(folder))))

    @classmethod
    def execute(cls, folder, name, workers, retry, clips=None) -> io.NodeOutput:
        from ..kinetics.archive.build import build_archive
        from ..kinetics.archive.clusters import build_clusters
        from ..kinetics.archive.measure import find_weights, make_settings
        from ..kinetics.archive.neighbours import build_graph
        from ..kinetics.archive.store import Archive
        from ..kinetics.plots.archive import plot_archive

        sources = [cls.file_of(video) for video in clips or () if video is not None]
        if one(folder) != NO_FOLDER:
            draw_samples(one(folder), report_progress())
            sources += clips_below(input_folder(one(folder)))
        if not sources:
            raise KineticsError("Build Archive has no clip: choose a folder with videos in it, or plug clips in.")
        path = Path(folder_paths.get_output_directory()) / ARCHIVES / one(name)
        progress = report_progress()
        weights = find_weights("mediapipe", folders=model_folders())
        settings = Archive.open(path).settings if (path / "archive.json").is_file() else make_settings(weights=weights)
        summary = build_archive(sources, path, workers=one(workers) or None, retry=one(retry), settings=settings, weights=weights, progress=progress)
        archive, shown = Archive.open(path), {}
        clips = archive.clips(["unit", "peak_tip_speed", "peak_omega"]).to_pydict()
        if clips["unit"]:
            if summary.measured or not (path / "clusters.parquet").is_file():
                build_graph(archive, workers=one(workers) or None, progress=progress)
                build_clusters(archive, progress=progress)
            shown = preview_image(plot_archive(clips), "archive")
        report = "\n".join([*told(summary, archive.failures().to_pylist()), "Report, in ComfyUI's output folder:", f"{ARCHIVES}/{one(name)}/report.html"])
        return io.NodeOutput(one(name), report, ui={**shown, "text": (report,)})

    @staticmethod
    def file_of(video) -> Path:
        """The file behind a VIDEO socket; an archive remembers where its clips lie."""
        source = video.get_stream_source()
        if not isinstance(source, str):
            raise KineticsError("Build Archive was given a clip that is no file; save it with Save Video, and give the archive that file.")
        if any(video.get_active_trim_window()):
            raise KineticsError(f"Build Archive was given a part of {Path(source).name}; save the part with Save Video, and give the archive that file.")
        return check_place(Path(source), Path(source).name)


def told(summary, failures: list[dict]) -> list[str]:
    """What a run did, a line each; and the first clips that failed, with their reasons."""
    counts = {
        "measured now": summary.measured, "there already": summary.known, "of the same content as another": summary.duplicates,
        "failed": summary.failed, "failed before (turn retry on to try again)": summary.passed_over,
    }  # fmt: skip
    lines = [f"{summary.given} clips: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count) + "."]
    lines += [f"{Path(row['path']).name}: {row['reason']}" for row in failures[:FAILURES]]
    return lines + ([f"... and {len(failures) - FAILURES} more"] if len(failures) > FAILURES else [])


class ArchiveSearch(ArchiveReader):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_ArchiveSearch",
            display_name="Archive Search",
            category=BENCH,
            description="Finds the shots of an archive that are played most like one: by posture through the stroke, warped in time, whatever the place in the picture. "
            "Shows the query and what was found side by side, struck together.",
            search_aliases=["nearest shots", "similar shots", "find similar", "k nearest neighbours", "knn", "dtw search", "look-alike", "retrieve"],
            is_output_node=True,
            inputs=[
                io.MultiType.Input("shot", STROKE, optional=True, tooltip=f"What is looked for: {STROKE_TIP}."),
                io.Video.Input("clip", optional=True, tooltip="The shot's clip, for the composite. Without a shot its skeleton is taken from the archive, or found as the archive's were."),
                *cls.archive_inputs(),
                io.Int.Input("k", default=5, min=1, max=24, tooltip="How many shots are found."),
                io.Boolean.Input("itself", default=False, tooltip="Also tell the clip plugged in, where the archive has it: then it comes first, at distance 0."),
            ],
            outputs=[
                io.Video.Output(display_name="videos", is_output_list=True, tooltip="The clips found, the most similar first."),
                io.Float.Output(display_name="distances", is_output_list=True, tooltip="How far each lies from the query: RMS distance of a joint along the warping path, in trunk lengths."),
                io.String.Output(display_name="names", is_output_list=True, tooltip="What the clips found are called, for titles."),
                io.Video.Output(display_name="composite", tooltip="The query and the clips found, side by side, so that all strike together."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, archive, k, itself, shot=None, clip=None, built=None) -> io.NodeOutput:
        from ..kinetics.archive.neighbours import find_nearest
        from ..kinetics.show.archive import clip_names

        if shot is None and clip is None:
            raise KineticsError("Archive Search has nothing to look for: plug in a skeleton, a swing or a clip.")
        shots, progress = open_archive(built or archive), report_progress()
        opened = None if clip is None else open_clip(clip)
        own = None if clip is None else cls.key_of(clip, shots)
        pose, impact = cls.query(shot, opened, own, shots, progress)
        found = find_nearest(pose, shots, k, exclude=None if itself else own, progress=progress)
        if not found:
            raise KineticsError("The archive has no shot but the one that is looked for; add clips with Build Archive, or turn itself on.")
        rows = shots.clips(["key", "path", "impact_t"]).to_pydict()
        names = dict(zip(rows["key"], clip_names(rows["path"]), strict=True))
        paths = [check_place(shots.path_of(near.key), names[near.key]) for near in found]
        impacts = dict(zip(rows["key"], rows["impact_t"], strict=True))
        told = [(near, names[near.key], path, impacts[near.key] if known(impacts[near.key]) else None) for near, path in zip(found, paths, strict=True)]
        query = short_name(opened.name if opened else pose.source or "") or "the query"
        composite = cls.compose(query, pose, impact, opened, told, shots, progress)
        lines = [f"Most like {query}, of {len(rows['key'])} shots:"]
        lines += [f"{number}. {name}: {near.distance:.3f} trunk lengths" for number, (near, name, *_) in enumerate(told, 1)]
        return io.NodeOutput(
            [video_from(path) for path in paths], [near.distance for near in found], [names[near.key] for near in found], video_from(composite),
            ui={**preview_videos([composite]).as_dict(), "text": ("\n".join(lines),)},
        )  # fmt: skip

    @staticmethod
    def query(shot, clip, key: str | None, archive, progress) -> tuple:
        """Skeleton and impact (None where not known) of what is looked for: as plugged in, as the archive has it, or found as the archive's were."""
        from ..kinetics.archive.measure import find_skeleton, find_weights
        from ..kinetics.compare.shot import as_shot

        if shot is not None:
            stroke = as_shot(shot)
            return stroke.pose, stroke.impact
        if key is not None:
            impact = clip_row(archive, key)["impact_t"]
            return archive.pose(key, stabilised=True), impact if known(impact) else None
        weights = find_weights(archive.settings["estimator"], folders=model_folders())
        return find_skeleton(clip, archive.settings, weights, progress), None

    @staticmethod
    def key_of(clip, archive) -> str | None:
        """The key of a clip whose file the archive has."""
        from ..kinetics.archive.store import clip_key
        from ..kinetics.pose.models import file_sha256

        source = clip.get_stream_source()
        if not isinstance(source, str) or any(clip.get_active_trim_window()):
            return None
        key = clip_key(file_sha256(source), archive.settings_key)
        return key if key in archive else None

    @staticmethod
    def compose(query: str, pose, impact, clip, found, archive, progress) -> Path:
        """The query and what was found on one clock, from a moment before impact to one after it."""
        from ..kinetics.compare.in_step import in_step_times
        from ..kinetics.draw import render_skeleton_clip
        from ..kinetics.video.decode import Clip
        from ..kinetics.video.grid import compose_grid

        folder = temp_folder("search")
        if clip is None:
            render_skeleton_clip(pose, folder / "query.mp4", view="subject", trails=0.4, progress=progress)
            clip = Clip(folder / "query.mp4")
        clips = [clip, *(Clip(path) for _, _, path, _ in found)]
        step = in_step_times([pose, *(archive.pose(near.key) for near, *_ in found)], impacts=[impact, *(at for *_, at in found)], how="impact")
        times = step.frame_times(RATE, [own.info.duration for own in clips])
        keep = (times[0] >= step.impacts[0] - BEFORE) & (times[0] <= step.impacts[0] + AFTER)
        titles = [f"looked for: {query}", *(f"{number}. {name}: {near.distance:.2f}" for number, (near, name, *_) in enumerate(found, 1))]
        compose_grid(
            clips, folder / "nearest.mp4", tile=TILE, fps=RATE, titles=[title.replace("_", " ") for title in titles],
            sync="times", times=[own[keep] for own in times], progress=progress,
        )  # fmt: skip
        return folder / "nearest.mp4"


class ArchiveBrowser(ArchiveReader):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_ArchiveBrowser",
            display_name="Archive Browser",
            category=BENCH,
            description="An archive to look through: peak bat speed against peak \u03c9, a dot a clip, coloured by cluster. "
            "Point at a dot to see its figures and its skeleton moving; click it, and the node hands that clip on when it runs next.",
            search_aliases=["scatter", "explore clips", "library", "bat speed plot", "choose clip", "gallery", "cluster plot"],
            is_output_node=True,
            inputs=[
                *cls.archive_inputs(),
                io.String.Input("picked", default="", tooltip="The clip that is handed on, by the name that the browser shows; a click on a dot writes it. Empty: none."),
                io.String.Input(
                    "view", default="{}", optional=True, socketless=True, extra_dict={"widgetType": "CK_ARCHIVE_BROWSER"},
                    tooltip="The browser. Its unit and the clusters that you hide are kept with the workflow.",
                ),
            ],
            outputs=[
                io.Video.Output(display_name="clip", tooltip="The clip that was picked. While none is, nodes after this one don't run."),
                PoseSequenceSocket.Output(display_name="skeleton", tooltip="Its skeleton, in the clip's own pixels, as it is in the archive."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, archive, picked, built=None, view=None) -> io.NodeOutput:
        from ..kinetics.show.archive import archive_record

        name = built or archive
        shots = open_archive(name)
        record = archive_record(shots.clips().to_pydict(), read_clusters(archive_path(name)), len(shots.failures()))
        payload = {"data": write_data(record), "archive": name}
        return io.NodeOutput(*cls.handed_on(shots, record, picked.strip()), ui={"archive_browser": [payload]})

    @staticmethod
    def handed_on(archive, record: dict, picked: str) -> tuple:
        """Clip and skeleton; where there is none, nodes after this one wait, or say why."""
        if not picked:
            return (ExecutionBlocker(None),) * 2
        if picked not in record["name"]:
            return (ExecutionBlocker(f"There is no clip {picked!r} in the archive; click a dot in Archive Browser, or empty picked."),) * 2
        key = record["key"][record["name"].index(picked)]
        pose = archive.pose(key)
        try:
            return video_from(check_place(archive.path_of(key), picked)), pose
        except KineticsError as error:
            return ExecutionBlocker(str(error)), pose
