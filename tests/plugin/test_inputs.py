import argparse

import pytest

from espnet_ent.errors import AudioError, ConfigError, DataError, LabelError
from espnet_ent.plugin.inputs import check_inputs
from tests.plugin.experiment import make_data, make_set

REQUIRED = ("speech", "text", "emotion")


@pytest.fixture
def args(tmp_path):
    root = make_data(tmp_path)
    args = argparse.Namespace(
        root=root, emotion_list=str(root / "emotion_list"), fs=16000, allow_variable_data_keys=False
    )
    for phase in ("train", "valid"):
        entries = [("wav.scp", "speech", "sound"), ("text", "text", "text"), ("utt2emo", "emotion", "text")]
        setattr(args, f"{phase}_data_path_and_name_and_type", [(str(root / phase / f), n, t) for f, n, t in entries])
        shape = root / f"{phase}_shape"
        lines = (root / phase / "text").read_text().splitlines()
        shape.write_text("".join(f"{line.split()[0]} 4000\n" for line in lines))
        setattr(args, f"{phase}_shape_file", [str(shape)])
    return args


def refused(args, error, message):
    with pytest.raises(error, match=message):
        check_inputs(args, REQUIRED, ())


def test_good_data_pass(args):
    check_inputs(args, REQUIRED, ())


def test_a_missing_and_an_empty_file_are_named(args):
    path = args.root / "valid" / "text"
    path.write_text("")
    refused(args, DataError, r"valid/text: file is empty; next: rerun stages 3 and 4")
    path.unlink()
    refused(args, DataError, "valid/text: file is missing")


def test_utterances_that_one_file_lacks_are_named(args):
    path = args.root / "train" / "utt2emo"
    path.write_text(path.read_text().replace("u03 neu\n", ""))
    refused(args, DataError, "train/utt2emo: utterances differ from .*wav.scp; got 1: u03")


def test_an_unknown_emotion_is_named_with_its_utterance(args):
    path = args.root / "train" / "utt2emo"
    path.write_text(path.read_text().replace("u03 neu", "u03 bored"))
    refused(args, LabelError, "train/utt2emo: u03: unknown emotion label")


def test_shape_files_may_name_fewer_utterances_but_no_others(args):
    path = args.root / "train_shape"
    path.write_text("u01 4000\n")
    check_inputs(args, REQUIRED, ())
    path.write_text("u01 4000\nx 4000\n")
    refused(args, DataError, "train_shape: utterances are not in .*: x; next: rerun stage 10")


def test_shape_files_agree_among_each_other(args):
    other = args.root / "other_shape"
    other.write_text("u01 4\n")
    args.train_shape_file.append(str(other))
    refused(args, DataError, "other_shape: utterances differ")


def test_another_sample_rate_is_refused(args):
    make_set(args.root / "slow", 4, sample_rate=8000)
    args.valid_data_path_and_name_and_type[0] = (str(args.root / "slow" / "wav.scp"), "speech", "sound")
    refused(args, AudioError, "expected 16000 Hz .*; got 8000 Hz")


def test_unknown_missing_and_repeated_data_are_refused(args):
    entries = args.train_data_path_and_name_and_type
    entries.append((entries[1][0], "words", "text"))
    refused(args, ConfigError, "unknown data")
    entries[-1] = entries[0]
    refused(args, ConfigError, "given twice")
    del entries[1:]
    refused(args, ConfigError, "data are missing")
