"""Audio files with random faults, in a process whose memory and time are limited: no crash, no hang, no traceback."""

from __future__ import annotations

import io
import random
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ent.data.audio import audio_info, read_audio
from espnet_ent.errors import AudioError
from tests.amounts import amount
from tests.plugin import forked

pytestmark = pytest.mark.security
RATE = 16000
_SECONDS, _BYTES = 10, 512 * 2**20
_CODINGS = [("WAV", "PCM_16", 1), ("WAV", "FLOAT", 2), ("WAVEX", "PCM_24", 3), ("FLAC", "PCM_16", 1)]
_CODINGS += [("FLAC", "PCM_24", 2), ("WAV", "MS_ADPCM", 1), ("AIFF", "PCM_16", 1), ("OGG", "VORBIS", 1)]
_HEADER = 64  # bytes in which most of the faults lie
_SIZES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def _originals() -> list[bytes]:
    found = []
    samples = 0.3 * np.random.default_rng(0).standard_normal((4000, 3))
    for form, subtype, channels in _CODINGS:
        file = io.BytesIO()
        soundfile.write(file, samples[:, :channels].clip(-1, 1), RATE, format=form, subtype=subtype)
        found.append(file.getvalue())
    return found


def mutate(data: bytes, draw: random.Random) -> bytes:
    """One to eight faults: bits, bytes, sizes, cuts, repetitions."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        end = min(len(changed), _HEADER if draw.random() < 0.7 else len(changed))
        if end < 1:
            break
        place = draw.randrange(end)
        match draw.randrange(6):
            case 0:
                changed[place] ^= 1 << draw.randrange(8)
            case 1:
                changed[place] = draw.randrange(256)
            case 2:
                size = draw.choice(_SIZES).to_bytes(4, draw.choice(("little", "big")))
                changed[place : place + 4] = size[: len(changed) - place]
            case 3:
                del changed[draw.randrange(len(changed)) :]
            case 4:
                changed[place:place] = draw.randbytes(draw.randrange(1, 40))
            case 5:
                del changed[place : place + draw.randrange(1, 40)]
    return bytes(changed)


def _read_all(folder: Path, number: int) -> None:
    """Read ``number`` mutated files, as a path and as content; the file that is looked at stays in ``folder``."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _BYTES, in_use + _BYTES))
    originals, draw, read, refused = _originals(), random.Random(7), 0, 0
    for index in range(number):
        path = folder / "mutated.wav"
        data = mutate(originals[index % len(originals)], draw)
        path.write_bytes(data)
        signal.alarm(_SECONDS)
        for source in (path, data):
            try:
                audio_info(source)
                samples = read_audio(source, RATE, resample=True)
                assert np.isfinite(samples).all()
                read += 1
            except AudioError as error:
                refused += 1
                lines = str(error).splitlines()
            else:
                lines = ["read"]
            assert len(lines) == 1
        signal.alarm(0)
    (folder / "counts").write_text(f"{read} {refused}")


def test_no_mutated_file_does_harm(tmp_path: Path, figures) -> None:
    number = amount(500, 60)
    assert forked.run(_read_all, tmp_path, number) == forked.SUCCESS, "see mutated.wav"
    read, refused = map(int, (tmp_path / "counts").read_text().split())
    assert read + refused == 2 * number
    assert min(read, refused) > number // 10
    promise = (
        f"mutated audio files, each in at most {_SECONDS} s and {_BYTES >> 20} MiB: no crash, no hang, no traceback"
    )
    figures("Data", promise, files=number, read=read // 2, refused=refused // 2)
