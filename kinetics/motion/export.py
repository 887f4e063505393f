"""A measured stroke to take away: swing.json, swing.csv, arrays for NumPy, and a TRC for OpenSim and Pose2Sim."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..files import write_beside, write_json, write_text
from .measure import PER_SECOND, SwingMeasurement
from .scale import Scale
from .swing import Peak

#: File suffix of each format.
FORMATS = ("json", "csv", "npz", "trc")

#: Digits kept in files: a thousandth of a pixel, a microsecond, six figures of anything else.
_PX, _S, _FIGURES = 3, 6, 6

#: Joints that stand on the ground; the lowest of them is the floor of a TRC file.
_FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot", "left_heel", "right_heel")


def export_swing(swing: SwingMeasurement, folder: str | os.PathLike, formats: Sequence[str] = ("json", "csv"), name: str = "swing") -> list[Path]:
    """Write ``<name>.json``, ``.csv``, ``.npz`` and ``.trc`` into a folder, each whole or not at all.

    Parameters
    ----------
    swing : SwingMeasurement
    folder : path
        Made when missing.
    formats : sequence of {"json", "csv", "npz", "trc"}
    name : str

    Returns
    -------
    list of Path

    Raises
    ------
    KineticsError
        When a format isn't known, the folder can't be written to, or there is nothing to put into a TRC file.
    """
    unknown = [fmt for fmt in formats if fmt not in FORMATS]
    if unknown:
        raise KineticsError(f"Format {unknown[0]!r} isn't offered; choose {', '.join(FORMATS)}.")
    writers = {"json": write_swing_json, "csv": write_swing_csv, "npz": write_swing_npz, "trc": write_trc}
    paths = [Path(folder) / f"{name}.{fmt}" for fmt in formats]
    for fmt, path in zip(formats, paths, strict=True):
        writers[fmt](swing, path)
    return paths


def swing_record(swing: SwingMeasurement) -> dict[str, Any]:
    """The value of ``swing.json``; null where there is no value.

    ``tip`` and ``hands`` are in pixels of each frame, speeds in ``unit``/s, omega in rad/s, clockwise on the screen positive. Every
    ``sigma`` is the random error; the scale's, which all speeds share, stands in ``scale.sigma`` as a part of 1.
    """
    joints = swing.joints
    return {
        "t": _list(swing.t, _S), "picture_t": _list(swing.clock, _S), "tip": points_record(swing.tip), "hands": points_record(swing.hands),
        "tip_speed": _series(swing.tip_speed, swing.tip_speed_sigma), "omega": _series(swing.omega, swing.omega_sigma),
        "peak_tip_speed": _peak(swing.peak_tip_speed), "peak_omega": _peak(swing.peak_omega),
        "unit": swing.unit, "per_second": PER_SECOND[swing.unit], "flags": list(swing.flags),
        "scale": _scale(swing.scale), "metres": None if swing.metres is None else _scale(swing.metres),
        "phases": [
            {"name": phase.name, "start": _number(phase.start), "end": _number(phase.end), "whole": phase.whole} for phase in swing.phases.found
        ],
        "phase_notes": list(swing.phases.notes),
        "impact": None if swing.impact is None else {
            "t": _number(swing.impact.t), "sigma": _number(swing.impact.sigma), "estimated": swing.impact.estimated, "how": swing.impact.how,
        },
        "angle": _list(swing.angle), "omega_unreliable": swing.unreliable.tolist(), "hand_speed": _series(swing.hand_speed, swing.hand_speed_sigma),
        "tip_reference": points_record(swing.tip_reference), "hands_reference": points_record(swing.hands_reference),
        "status": swing.status.tolist(), "source": swing.source.tolist(),
        "joint_angles": {} if joints is None else {
            name: {
                "value": _list(joints.angle[:, k]), "sigma": _list(joints.angle_sigma[:, k]),
                "rate": _list(joints.rate[:, k]), "rate_sigma": _list(joints.rate_sigma[:, k]),
            } for k, name in enumerate(joints.angle_names)
        },
        "joint_speeds": {} if joints is None else {
            name: _series(joints.speed[:, k], joints.speed_sigma[:, k]) for k, name in enumerate(joints.joint_names)
        },
        "angle_unit": "degrees", "size": list(swing.size), "grip": swing.grip, "method": swing.method, "shot": swing.shot,
        "provenance": _plain(swing.provenance),
    }  # fmt: skip


def write_swing_json(swing: SwingMeasurement, path: str | os.PathLike) -> None:
    """Write :func:`swing_record` as strict JSON."""
    write_json(path, swing_record(swing))


def write_swing_csv(swing: SwingMeasurement, path: str | os.PathLike) -> None:
    """Write one row per frame, units in the header, an empty field where there is no value."""
    per, rows = PER_SECOND[swing.unit], io.StringIO()
    columns: dict[str, Sequence[Any]] = {
        "frame": range(len(swing)), "t (s)": _cells(swing.t, _S), "status": swing.status, "phase": [swing.phases.at(t) for t in swing.t],
        **_xy("tip", swing.tip, "px"), **_xy("hands", swing.hands, "px"),
        **_xy("tip_reference", swing.tip_reference, "px"), **_xy("hands_reference", swing.hands_reference, "px"),
        f"tip_speed ({per})": _cells(swing.tip_speed), f"tip_speed_sigma ({per})": _cells(swing.tip_speed_sigma),
        "omega (rad/s)": _cells(swing.omega), "omega_sigma (rad/s)": _cells(swing.omega_sigma), "angle (rad)": _cells(swing.angle),
        "omega_unreliable": swing.unreliable.astype(int),
        f"hand_speed ({per})": _cells(swing.hand_speed), f"hand_speed_sigma ({per})": _cells(swing.hand_speed_sigma),
        "tip_source": swing.source,
    }  # fmt: skip
    if swing.joints is not None:
        for k, name in enumerate(swing.joints.angle_names):
            columns[f"{name} (deg)"] = _cells(swing.joints.angle[:, k])
            columns[f"{name}_sigma (deg)"] = _cells(swing.joints.angle_sigma[:, k])
            columns[f"{name}_rate (deg/s)"] = _cells(swing.joints.rate[:, k])
            columns[f"{name}_rate_sigma (deg/s)"] = _cells(swing.joints.rate_sigma[:, k])
        for k, name in enumerate(swing.joints.joint_names):
            columns[f"{name}_speed ({per})"] = _cells(swing.joints.speed[:, k])
            columns[f"{name}_speed_sigma ({per})"] = _cells(swing.joints.speed_sigma[:, k])
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, rows.getvalue())


def write_swing_npz(swing: SwingMeasurement, path: str | os.PathLike) -> None:
    """Write the arrays of the measurement; ``numpy.load`` reads them without pickle. Missing values are NaN."""
    impact = swing.impact
    arrays: dict[str, Any] = {
        name: getattr(swing, name)
        for name in (
            "t", "clock", "tip", "hands", "tip_reference", "hands_reference", "tip_speed", "tip_speed_sigma", "omega", "omega_sigma", "angle",
            "unreliable", "hand_speed", "hand_speed_sigma", "status", "source",
        )
    }  # fmt: skip
    for name in ("peak_tip_speed", "peak_omega"):
        peak = getattr(swing, name)
        arrays[name] = np.array([peak.value, peak.sigma, peak.t, peak.sigma_t])
    arrays |= {
        "unit": np.array(swing.unit), "px_per_unit": np.array(swing.scale.px_per_unit), "scale_sigma": np.array(swing.scale.sigma),
        "flags": np.array(swing.flags, dtype=str), "phase_names": np.array([phase.name for phase in swing.phases.found], dtype=str),
        "phase_times": np.array([[phase.start, phase.end] for phase in swing.phases.found]).reshape(-1, 2),
        "impact": np.array([np.nan, np.nan] if impact is None else [impact.t, impact.sigma]), "camera_matrix": swing.camera.matrix,
    }  # fmt: skip
    if swing.joints is not None:
        joints = swing.joints
        arrays |= {
            "joint_angle_names": np.array(joints.angle_names, dtype=str), "joint_angle": joints.angle, "joint_angle_sigma": joints.angle_sigma,
            "joint_rate": joints.rate, "joint_rate_sigma": joints.rate_sigma, "joint_names": np.array(joints.joint_names, dtype=str),
            "joint_speed": joints.speed, "joint_speed_sigma": joints.speed_sigma,
        }  # fmt: skip
    with write_beside(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **{name: _storable(value) for name, value in arrays.items()})


def write_trc(swing: SwingMeasurement, path: str | os.PathLike) -> None:
    """Write the joints, ``hands`` and ``bat_tip`` of the measured shot as OpenSim's marker file (.trc), in metres.

    x to the right, y up from the lowest foot, z = 0: one camera sees a plane. The origin is below the hips' mean place. Camera movement
    is taken out. Frames are numbered from 1 and keep their own times; ``DataRate`` is their mean rate. A missing marker is ``nan``, which
    OpenSim and pandas read; empty fields at the end of a row are more than OpenSim's reader takes.

    Raises
    ------
    KineticsError
        When there is no scale in metres, or no place to write.

    References
    ----------
    OpenSim documentation, "Marker (.trc) Files"; Pose2Sim writes and reads the same.
    """
    if swing.metres is None:
        raise KineticsError("A .trc file is in metres and nothing gives a scale; mark a length, such as the stumps (0.711 m).")
    rows = np.flatnonzero(swing.camera.shot == swing.shot)
    pose = swing.pose_reference()
    at = {} if pose is None else {name: pose.joint(name) for name in pose.names if name not in ("bat_tip", "hands")}
    at |= {"hands": swing.hands_reference, "bat_tip": swing.tip_reference}
    at = {name: np.where((swing.status == "repeat")[:, None], np.nan, xy)[rows] for name, xy in at.items()}
    at = {name: xy for name, xy in at.items() if np.isfinite(xy).any()}
    if not at or len(rows) < 2:
        raise KineticsError("Nothing is seen in the measured shot, so there is nothing to put into a .trc file.")
    everything = np.concatenate(list(at.values()))
    feet = [at[name][:, 1] for name in _FEET if name in at]
    ground = np.concatenate(feet) if feet and np.isfinite(np.concatenate(feet)).any() else everything[:, 1]
    floor = float(np.nanpercentile(ground, 95))
    middle = at.get("pelvis", everything)
    origin = float(np.nanmean(middle[:, 0] if np.isfinite(middle).any() else everything[:, 0]))
    t = swing.t[rows]
    rate = f"{(len(t) - 1) / (t[-1] - t[0]):.6g}"
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{Path(path).name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{len(t)}\t{len(at)}\tm\t{rate}\t1\t{len(t)}",
        "Frame#\tTime\t" + "\t\t\t".join(at) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{k}" for k in range(1, len(at) + 1) for axis in "XYZ"),
        "",
    ]
    scale = swing.metres.px_per_unit
    for k, when in enumerate(t):
        fields = [str(k + 1), f"{when:.6f}"]
        for xy in at.values():
            x, y = (xy[k] - (origin, floor)) / scale
            fields += ["nan", "nan", "nan"] if np.isnan(x) else [f"{x:.5f}", f"{-y:.5f}", "0.00000"]
        lines.append("\t".join(fields))
    write_text(path, "\n".join(lines) + "\n")


def _storable(value: Any) -> np.ndarray:
    """Arrays of Python strings become fixed-width ones, which need no pickle."""
    array = np.asarray(value)
    return array.astype(str) if array.dtype == object else array


def _list(values: np.ndarray, digits: int | None = None) -> list[float | None]:
    return [_number(value, digits) for value in np.asarray(values, float)]


def _number(value: float, digits: int | None = None) -> float | None:
    if not np.isfinite(value):
        return None
    return round(float(value), digits) if digits is not None else float(f"{float(value):.{_FIGURES}g}")


def points_record(xy: np.ndarray) -> list[list[float] | None]:
    """(T, 2) px as [x, y] per frame, None where missing."""
    return [None if np.isnan(point).any() else [round(float(point[0]), _PX), round(float(point[1]), _PX)] for point in xy]


def _series(value: np.ndarray, sigma: np.ndarray) -> dict[str, list[float | None]]:
    return {"value": _list(value), "sigma": _list(sigma)}


def _peak(peak: Peak) -> dict[str, float | None]:
    return {"value": _number(peak.value), "sigma": _number(peak.sigma), "t": _number(peak.t, _S), "sigma_t": _number(peak.sigma_t)}


def _scale(scale: Scale) -> dict[str, Any]:
    return {"unit": scale.unit, "px_per_unit": _number(scale.px_per_unit), "sigma": _number(scale.sigma), "source": scale.source}


def _xy(name: str, xy: np.ndarray, unit: str) -> dict[str, list[str]]:
    return {f"{name}_{axis} ({unit})": _cells(xy[:, k], _PX) for k, axis in enumerate("xy")}


def _cells(values: np.ndarray, digits: int | None = None) -> list[str]:
    return ["" if number is None else f"{number:.{digits}f}" if digits is not None else f"{number:g}" for number in _list(values, digits)]


def _plain(value: Any) -> Any:
    """The same in JSON's own types; NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return _number(float(value))
    return value if value is None or isinstance(value, str) else str(value)
