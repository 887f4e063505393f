"""Weights of the estimators: where they are looked for, and the download that only the user asks for."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from ..errors import KineticsError, MissingDependency, Progress
from ..files import write_beside

#: The folder that holds the pack.
PACK_ROOT = Path(__file__).resolve().parents[2]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Model:
    """A model file.

    ``url`` and ``sha256`` are None where the project can't vouch for them: the user then brings the file.
    """

    file: str
    purpose: str
    url: str | None = None
    sha256: str | None = None
    hint: str = ""


MODELS = {
    "pose_landmarker_full": Model(
        file="pose_landmarker_full.task",
        purpose="MediaPipe's pose landmarker",
        url="https://storage.googleapis.com/mediapipe-models/pose_landmarker/pose_landmarker_full/float16/1/pose_landmarker_full.task",
        sha256="4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad",
    ),
    "openpose_body": Model(
        file="body_pose_model.pth",
        purpose="OpenPose's body model",
        hint="it is published as body_pose_model.pth in the Annotators collection that controlnet-aux uses",
    ),
    "rtmpose": Model(
        file="rtmpose.onnx",
        purpose="an RTMPose body model in ONNX form with 17 COCO joints",
        hint="rtmlib's page lists them; unpack the archive and take its end2end.onnx",
    ),
}


def model_folders(folders: Sequence[str | os.PathLike] = ()) -> list[Path]:
    """Where models are looked for: the folders given, ``$KINETICS_MODELS``, the pack's ``models``, the user's cache."""
    places = [Path(folder) for folder in folders]
    if os.environ.get("KINETICS_MODELS"):
        places += [Path(part) for part in os.environ["KINETICS_MODELS"].split(os.pathsep) if part]
    return [*places, PACK_ROOT / "models", Path.home() / ".cache" / "correlated_kinetics" / "models"]


def find_model(name: str, folders: Sequence[str | os.PathLike] = ()) -> Path:
    """Path of a model that is on this machine.

    Parameters
    ----------
    name : str
        A key of ``MODELS``.
    folders : sequence of path
        Searched before the usual places.

    Raises
    ------
    MissingDependency
        When it is nowhere; the sentence says where to put it.
    """
    model = MODELS[name]
    places = model_folders(folders)
    for place in places:
        if (place / model.file).is_file():
            return place / model.file
    how = "ask for its download, or put it" if model.url else "put it"
    hint = f" ({model.hint})" if model.hint else ""
    raise MissingDependency(f"{model.file}, {model.purpose}, is not on this machine; {how} into {places[0]}{hint}.")


def obtain_model(name: str, folders: Sequence[str | os.PathLike] = (), progress: Progress | None = None) -> Path:
    """Path of a model; when it is nowhere, it is downloaded into the first of the folders. Only for a user who asked for that."""
    try:
        return find_model(name, folders)
    except MissingDependency:
        return download_model(name, model_folders(folders)[0], progress)


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def download_model(name: str, folder: str | os.PathLike, progress: Progress | None = None) -> Path:
    """Fetch a model because the user asked for it.

    The file appears in ``folder`` only when all of it has come and its SHA-256 is right. A right file that is there already is kept.

    Parameters
    ----------
    name : str
        A key of ``MODELS``.
    folder : path
    progress : callable, optional
        progress(bytes so far, bytes in all); 0 in all when the server does not say.

    Raises
    ------
    MissingDependency
        When the project knows no address or no SHA-256 for it.
    KineticsError
        When the server can't be reached, has no such file, breaks off, or sends something else.
    """
    model = MODELS[name]
    target = Path(folder) / model.file
    if model.url is None or model.sha256 is None:
        raise MissingDependency(f"{model.file} can't be downloaded, as its SHA-256 is not known here; put it into {folder} yourself ({model.hint}).")
    if target.is_file() and file_sha256(target) == model.sha256:
        return target
    with write_beside(target) as part:
        digest, done = hashlib.sha256(), 0
        try:
            with urllib.request.urlopen(model.url, timeout=60) as reply, open(part, "wb") as file:
                total = int(reply.headers.get("Content-Length") or 0)
                while chunk := reply.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    if progress:
                        progress(done, total)
        except urllib.error.HTTPError as error:
            raise KineticsError(f"{model.url} answered {error.code} ({error.reason}); fetch {model.file} by hand into {folder}.") from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise KineticsError(f"{model.url} can't be reached ({reason}); check the network, or fetch {model.file} by hand into {folder}.") from error
        if total and done != total:
            raise KineticsError(f"{model.file} broke off after {done} of {total} bytes; try the download again.")
        if digest.hexdigest() != model.sha256:
            raise KineticsError(
                f"{model.file} from {model.url} has SHA-256 {digest.hexdigest()}, not {model.sha256}; it was thrown away, so try again or fetch it by hand."
            )
    return target
