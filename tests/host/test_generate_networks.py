"""What our nodes make, on small networks in a process of the host, against what the host's own nodes make frame by frame."""

from __future__ import annotations

import pytest

#: Pictures, of values 0 to 1, are the same when no pixel differs by more: float32 sums are taken in another order when a batch is larger.
SAME = 1e-5
#: And they differ when it is more than this: unlike poses are 0.05 to 0.16 apart here.
APART = 0.04


@pytest.fixture(scope="module")
def found(run_in_host):
    return run_in_host("generate_in_host.py")


def test_batch_with_shared_noise_is_frame_by_frame(found):
    record = found["chunks"]
    assert record["one by one"] < SAME and record["core batch"] < SAME
    assert min(record["spread"]) > APART
    assert record["same pose"]["shared"] == 0.0 and record["same pose"]["own"] > APART


def test_chunks_of_1_and_4_and_all_give_the_same_frames(found):
    record = found["chunks"]
    assert max(record["chunks"]) < SAME  # 1 and 4, against all
    assert record["plan"] < SAME  # hints that are drawn as they are needed
    assert record["overlap"] < SAME  # blended with what is the same
    assert record["own noise"] < SAME  # a frame's own noise goes by its number, whatever the chunk


def test_hint_k_drives_frame_k(found):
    swapped = found["chunks"]["swapped"]
    assert swapped["changed"] == [2, 7] and swapped["others"] < SAME and swapped["exchanged"] < SAME


def test_noise_that_samplers_add_in_each_step_is_shared_too(found):
    for name, (chunked, spread) in found["chunks"]["samplers"].items():
        assert chunked < SAME and spread > APART, name
    assert found["chunks"]["ancestral as core"] < SAME


def test_chunk_may_start_from_the_chunk_before(found):
    carried = found["chunks"]["carried"]
    assert carried["frames"] == 9 and carried["first chunk"] < SAME and carried["later"] > APART


def test_latents_are_sliced_with_their_hints(found):
    record = found["latents"]
    assert record["sliced"] < SAME
    assert record["fewer"].startswith("There are 9 hints and 5 latents")
    assert record["larger"].startswith("The hints are 64×64 and the latents are of 64×128")
    assert "multiples of 8" in record["odd size"] and record["no hints"].startswith("There is no pose hint")


def test_frames_of_a_phase_are_those_of_its_strength_alone(found):
    record = found["styles"]
    assert max(record["phase alone"].values()) < SAME and min(record["apart"]) > APART
    assert record["texts"] == 3  # one per strength, not per phase
    assert record["without"] < SAME  # a share of 0 is no LoRA
    assert record["core sampler"] < SAME  # the texts carry it: core's own sampler does the same with the whole batch
    assert record["clip skip"] < SAME and record["as core's loader"] < SAME
    assert record["other counts"].startswith("The text is for 9 frames and there are 5 hints")


def test_style_says_what_it_is_and_what_does_not_fit(found):
    record = found["styles"]
    assert record["trigger"] == "ckbatter" and "It was trained on this checkpoint (base.safetensors)." in record["report"]
    assert record["report"].count("Note:") == 1
    told = record["odd"]
    assert "2 of its 86 keys mean nothing to this model" in told and "It says it was made for SDXL, and the model is SD15." in told
    assert "trained on another checkpoint" in told and "says alpha 16, but its weights carry 4" in told
    assert "made for another family of models than this one (SD15): 1 of its 1 modules have other shapes" in record["other shapes"]
    assert "none of its weights is known to it" in record["other names"]
    assert "but no plan" in record["no plan"] and "knows no phase" in record["no phase"]


def test_frames_stream_to_a_file_at_the_plan_s_times(found):
    record = found["files"]
    assert record["shape"] == [9, 64, 64, 3]
    assert record["times"] == pytest.approx([k / 16 for k in range(9)], abs=1 / 90_000)  # the file's clock
    # The file keeps 8 bits.
    assert record["brightness"] < 2 / 255
    assert record["shown"] >= 3 and record["shares"] == sorted(record["shares"]) and record["shares"][-1] == 1.0


def test_cancel_keeps_finished_frames_and_nothing_else(found):
    record = found["files"]
    assert record["interrupted"] == ["interrupted", 4]  # in the second chunk of 4
    assert record["at once"] == ["interrupted", 0]
    assert record["left"] == ["stopped_00001_frames.mp4", "whole_00001_frames.mp4"]
    assert record["no net"].startswith("Pose-Conditioned Frames has no ControlNet")


def test_no_more_than_a_chunk_is_held(found):
    """40 frames in chunks of 8 that overlap by 2: the hints of one chunk, and the pictures of one."""
    assert found["memory"]["frames"] == 40 and found["memory"]["hints"] == 8 and found["memory"]["storages"] <= 2


def test_pose_hints_gives_pictures_plan_and_numbers(found):
    record = found["hints"]
    count, height, width, _ = record["shape"]
    assert record["told"] == [width, height, count, count, count] and (count, width) == (5, 128) and height % 64 == 0
    assert record["drawn"] == 0.0 and record["first only"] == [1, height, width, 3]
    assert record["fps"] == pytest.approx(4 / 0.5)  # 9 frames at 16 a second last 0.5 s
    assert "needs the phases of a swing" in record["by phase"] and "needs the phases of a swing" in record["key frames"]
    assert record["huge"].startswith("1000 hints of 16384×16384 need 3000.0 GB of memory")
    assert record["no tooltip"] == []
