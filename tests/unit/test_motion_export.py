"""Files to take away: their names, units and gaps, read back by other means than those that wrote them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from swing_samples import true_stroke, turning_bat

from kinetics.errors import KineticsError
from kinetics.motion.camera_maps import Camera
from kinetics.motion.export import export_swing, swing_record, write_swing_csv, write_swing_json, write_swing_npz, write_trc
from kinetics.motion.measure import measure_swing
from kinetics.motion.scale import BatLength


@pytest.fixture(scope="module")
def swing():
    track, pose, camera, _ = true_stroke("cover_drive", fps=25, noise=1.0)
    tip, repeat = track.tip.copy(), track.repeat.copy()
    tip[5] = np.nan
    tip[9] = track.hands[9] + [0, 600.0]
    repeat[12] = True
    return measure_swing(replace(track, tip=tip, repeat=repeat), pose, camera, scale=BatLength(0.96), draws=60)


@pytest.fixture(scope="module")
def nothing():
    track, pose, camera, _ = true_stroke("cover_drive", fps=25, noise=1.0)
    return measure_swing(replace(track, tip=track.hands + 1.0), pose, camera)


def strict(text: str):
    def refuse(word: str):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_contract_of_swing_json(swing, tmp_path):
    write_swing_json(swing, tmp_path / "swing.json")
    value = strict((tmp_path / "swing.json").read_text(encoding="utf-8"))
    frames = len(swing)
    assert len(value["t"]) == len(value["tip"]) == len(value["hands"]) == frames
    for name in ("tip_speed", "omega", "hand_speed"):
        assert len(value[name]["value"]) == len(value[name]["sigma"]) == frames
        # sigma where there is a value, null where there is none, both alike.
        assert [one is None for one in value[name]["value"]] == [one is None for one in value[name]["sigma"]]
    assert set(value["peak_tip_speed"]) >= {"value", "sigma", "t"} and set(value["peak_omega"]) >= {"value", "sigma", "t"}
    assert value["unit"] == "m" and isinstance(value["flags"], list)
    assert value["tip"][5] is None and value["tip"][9] is None and value["tip_speed"]["value"][5] is None
    assert value["tip_speed"]["value"][12] is None and value["tip"][12] is not None and value["status"][12] == "repeat"
    assert value["t"] == pytest.approx(swing.t.tolist(), abs=1e-6)
    # Thousandths of a pixel.
    assert value["tip"][20] == pytest.approx(swing.tip[20].tolist(), abs=5e-4)
    assert value["peak_tip_speed"]["value"] == pytest.approx(swing.peak_tip_speed.value, rel=1e-5)
    assert value["scale"]["sigma"] == pytest.approx(swing.scale.sigma, rel=1e-5)
    assert {phase["name"] for phase in value["phases"]} >= {"downswing", "impact", "follow_through"}
    assert value["impact"]["estimated"] in (True, False)
    assert set(value["joint_angles"]["left_elbow"]) == {"value", "sigma", "rate", "rate_sigma"}
    assert "pelvis" in value["joint_speeds"] and value["provenance"]["camera"]["model"] == "homography"


def test_nothing_measured_is_null_not_nan(nothing):
    value = strict(json.dumps(swing_record(nothing), allow_nan=False))
    assert value["peak_tip_speed"] == {"value": None, "sigma": None, "t": None, "sigma_t": None}
    assert set(value["tip_speed"]["value"]) == {None} and set(map(str, value["tip"])) == {"None"}
    assert value["phases"] == [] and value["impact"] is None and value["flags"]


def test_csv_has_a_row_per_frame_and_units_in_its_header(swing, tmp_path):
    write_swing_csv(swing, tmp_path / "swing.csv")
    with (tmp_path / "swing.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(swing)
    assert {"frame", "t (s)", "tip_x (px)", "tip_speed (m/s)", "omega (rad/s)", "left_elbow (deg)", "pelvis_speed (m/s)"} <= set(rows[0])
    assert rows[5]["tip_x (px)"] == "" and rows[5]["tip_speed (m/s)"] == "" and rows[9]["status"] == "refused"
    measured = [float(row["tip_speed (m/s)"]) if row["tip_speed (m/s)"] else np.nan for row in rows]
    # Six figures.
    assert measured == pytest.approx(swing.tip_speed.tolist(), rel=1e-5, abs=1e-9, nan_ok=True)
    assert {row["phase"] for row in rows} >= {"stance", "backlift", "downswing", "follow_through"}


def test_npz_loads_without_pickle(swing, nothing, tmp_path):
    for number, one in enumerate((swing, nothing)):
        path = tmp_path / f"swing{number}.npz"
        write_swing_npz(one, path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        assert np.array_equal(arrays["tip_speed"], one.tip_speed, equal_nan=True) and arrays["tip"].shape == (len(one), 2)
        assert arrays["flags"].tolist() == list(one.flags) and arrays["unit"].item() == one.unit
        assert arrays["joint_angle"].shape == (len(one), len(arrays["joint_angle_names"]))


def read_trc(path):
    """By the description of the format: three lines of header, two of labels, an empty one, rows parted by tabs."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0].split("\t")[:3] == ["PathFileType", "4", "(X/Y/Z)"] and lines[5] == ""
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    labels, axes = lines[3].split("\t"), lines[4].split("\t")
    assert labels[:2] == ["Frame#", "Time"] and axes[:2] == ["", ""]
    names = labels[2::3]
    assert all(not extra for k, extra in enumerate(labels[2:]) if k % 3)
    assert axes[2:] == [f"{axis}{k + 1}" for k in range(len(names)) for axis in "XYZ"]
    rows = [line.split("\t") for line in lines[6:] if line]
    assert {len(row) for row in rows} == {2 + 3 * len(names)}
    # Every field is a number, nan where a marker is missing: OpenSim 4.6 refuses a row that ends with empty fields ("Unexpected number of columns").
    table = np.array([[float(cell) for cell in row] for row in rows])
    return header, names, table


def test_trc_is_what_opensim_reads(swing, tmp_path):
    write_trc(swing, tmp_path / "swing.trc")
    header, names, table = read_trc(tmp_path / "swing.trc")
    assert header["Units"] == "m" and int(header["NumFrames"]) == len(table) == len(swing) and int(header["NumMarkers"]) == len(names)
    assert float(header["DataRate"]) == pytest.approx(25.0)
    assert table[:, 0].tolist() == list(range(1, len(swing) + 1)) and table[:, 1] == pytest.approx(swing.t, abs=1e-6)

    def marker(name):
        return table[:, 2 + 3 * names.index(name) : 5 + 3 * names.index(name)]

    seen = np.arange(len(swing)) != 12
    assert (marker("nose")[seen, 2] == 0).all()
    # y is up and the floor is at the feet: a batter 1.8 m tall crouches, so his nose is 1.2 to 1.8 m up; his feet within a stride's lift.
    assert 1.2 < np.median(marker("nose")[seen, 1]) < 1.8 and abs(np.median(marker("left_ankle")[seen, 1])) < 0.25
    assert np.isnan(marker("bat_tip")[[5, 9]]).all() and np.isnan(marker("nose")[12]).all()
    # Hands to tip is the bat below the hands, 0.83 m, where it shows whole: 5 % is the scale's sigma.
    length = np.linalg.norm(marker("bat_tip") - marker("hands"), axis=1)
    assert np.nanmax(length) == pytest.approx(0.83, rel=0.1)


def test_trc_of_a_track_alone_and_without_a_scale(nothing, tmp_path):
    track, _, _ = turning_bat()
    alone = measure_swing(track, None, Camera.still(track.t, track.size), method="centred")
    write_trc(alone, tmp_path / "alone.trc")
    _, names, table = read_trc(tmp_path / "alone.trc")
    assert names == ["hands", "bat_tip"] and np.nanmin(table[:, 3::3]) > -1e-9 - 1.0
    with pytest.raises(KineticsError, match="gives a scale"):
        write_trc(nothing, tmp_path / "none.trc")
    assert not (tmp_path / "none.trc").exists()


def test_all_at_once(swing, tmp_path):
    paths = export_swing(swing, tmp_path / "out", ("json", "csv", "npz", "trc"), name="cover")
    assert [path.name for path in paths] == ["cover.json", "cover.csv", "cover.npz", "cover.trc"] and all(path.stat().st_size > 0 for path in paths)
    with pytest.raises(KineticsError, match="'xlsx'"):
        export_swing(swing, tmp_path, ("xlsx",))
