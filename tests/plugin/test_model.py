import numpy as np
import pytest
import torch

from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses.lattice_pooling import lattice_pooling_loss
from espnet_ent.losses.transducer import rnnt_loss, transducer_alignments
from espnet_ent.plugin.builder import build_model
from tests.plugin.tiny import tiny_batch, tiny_config

FENT = {"transducer": "factorized_transducer", "model_conf": {"emotion_layer_mix": True}}
SYSTEMS = pytest.mark.parametrize("changes", [{}, FENT], ids=["ent", "fent"])


def build(changes, seed=0):
    torch.manual_seed(seed)
    return build_model(tiny_config(**changes)).eval()


@SYSTEMS
def test_loss_is_the_weighted_sum_of_its_parts(changes):
    conf = {**changes.get("model_conf", {}), "transducer_weight": 0.7, "lattice_weight": 0.2, "utterance_weight": 0.4}
    model = build({**changes, "model_conf": conf})
    loss, stats, _ = model(**tiny_batch())
    expected = 0.7 * stats["loss_transducer"] + 0.2 * stats["loss_lattice"] + 0.4 * stats["loss_utterance"]
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(stats["loss"], loss.detach())


@SYSTEMS
def test_losses_equal_those_computed_from_the_parts_by_hand(changes):
    model, batch = build(changes), tiny_batch()
    _, stats, _ = model(**batch)
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    logits = torch.cat([terms.logits() for terms in model.transducer.joint_terms(enc, states)], dim=-1)
    expected = rnnt_loss(logits, batch["text"], enc.lengths, batch["text_lengths"])
    torch.testing.assert_close(stats["loss_transducer"].squeeze(), expected)
    h, g = (enc.h_emo, states.g_blank) if changes else (enc.h, states.g)
    lattice = lattice_pooling_loss(
        model.emotion_joint.terms(h, g), batch["emotion"].flatten(), enc.lengths, batch["text_lengths"], 3
    )
    torch.testing.assert_close(stats["loss_lattice"].squeeze(), lattice)


@SYSTEMS
def test_padding_of_labels_changes_nothing(changes):
    model, batch = build(changes), tiny_batch()
    wider = {**batch, "text": torch.nn.functional.pad(batch["text"], (0, 3), value=-1)}
    torch.testing.assert_close(model(**batch)[0], model(**wider)[0])


@SYSTEMS
def test_emotions_on_the_path_are_read_at_the_right_nodes(changes):
    model, batch = build(changes), tiny_batch((9600,))
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    nodes = torch.arange(int(enc.lengths[0])).clamp(max=4).unsqueeze(0)
    on_path = model.node_emotions(enc, model.emotion_states(batch["text"], batch["text_lengths"]), nodes)
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    h, g = model.transducer.emotion_inputs(enc, states)
    lattice = model.emotion_joint.terms(h, g).logits().log_softmax(dim=-1)
    for frame, node in enumerate(nodes[0]):
        torch.testing.assert_close(on_path[0, frame], lattice[0, frame, node])


@SYSTEMS
def test_classify_with_the_true_text_gives_what_validation_counts(changes):
    model, batch = build(changes), tiny_batch((9600, 8000, 6400), seed=3)
    model.reset_emotion_counts()
    model(**batch)
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    text = (batch["text"], batch["text_lengths"])
    predicted = model.classify(enc, model.emotion_states(*text), *text).argmax(dim=-1)
    expected = np.zeros((4, 4), dtype=np.int64)
    for reference, prediction in zip(batch["emotion"].flatten().tolist(), predicted.tolist(), strict=True):
        expected[reference, prediction] += 1
    np.testing.assert_array_equal(model.emotion_counts, expected)


def test_counts_add_up_in_validation_only_and_can_be_reset():
    model = build({})
    model(**tiny_batch())
    model(**tiny_batch(seed=1))
    assert model.emotion_counts.sum() == 4
    model.train()
    model(**tiny_batch())
    assert model.emotion_counts.sum() == 4
    model.reset_emotion_counts()
    assert model.emotion_counts.sum() == 0


def test_the_second_layer_mix_feeds_the_emotion_side_only():
    model, batch = build(FENT), tiny_batch()
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    assert not torch.equal(enc.h, enc.h_emo)
    model.encoder.emotion_mix.requires_grad_(True)
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    model.emotion_joint.terms(*model.transducer.emotion_inputs(enc, states)).logits().sum().backward()
    assert all(p.grad is not None for p in model.encoder.emotion_mix.parameters())


def test_without_a_mix_both_sides_share_the_encoder_states():
    model, batch = build({}), tiny_batch()
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    assert enc.h is enc.h_emo


@SYSTEMS
def test_an_emotion_branch_feeds_the_lattice_alone(changes):
    """In training and on the path; the utterance head and blank go on seeing the encoder."""
    model, batch = build({**changes, "emotion_branch": "local_context"}), tiny_batch()
    _, stats, _ = model(**batch)
    loss = stats["loss_lattice"].squeeze()
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    _, g = model.transducer.emotion_inputs(enc, states)
    terms = model.emotion_joint.terms(enc.h_local, g)
    expected = lattice_pooling_loss(terms, batch["emotion"].flatten(), enc.lengths, batch["text_lengths"], 3)
    torch.testing.assert_close(loss, expected)
    nodes = torch.zeros(len(enc.h), enc.h.size(1), dtype=torch.long)
    torch.testing.assert_close(
        model.node_emotions(enc, model.emotion_states(batch["text"].clamp(min=0), batch["text_lengths"]), nodes),
        terms.logits()[:, :, 0].log_softmax(-1),
    )
    with torch.no_grad():
        model.encoder.emotion_branch.norm.weight.zero_()
    torch.testing.assert_close(model(**batch)[1]["loss_utterance"], stats["loss_utterance"])
    torch.testing.assert_close(model(**batch)[1]["loss_transducer"], stats["loss_transducer"])
    assert model(**batch)[1]["loss_lattice"] != stats["loss_lattice"]


@pytest.mark.parametrize("backend", ["fused", "torchaudio"])
def test_occupancy_pooling_weighs_nodes_by_the_alignments(backend):
    conf = {"lattice_pooling": "occupancy", "neutral_term": "none", "transducer_backend": backend}
    model, batch = build({"model_conf": conf}), tiny_batch()
    _, stats, _ = model(**batch)
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    lengths = (enc.lengths, batch["text_lengths"])
    posteriors = transducer_alignments(model.transducer.joint_terms(enc, states), batch["text"], *lengths)
    expected = lattice_pooling_loss(
        model.emotion_joint.terms(enc.h, states.g),
        batch["emotion"].flatten(),
        *lengths,
        3,
        pooling="occupancy",
        neutral_term="none",
        occupancy=posteriors.blank + posteriors.label,
    )
    torch.testing.assert_close(stats["loss_lattice"].squeeze(), expected)


def test_the_occupancy_can_be_trained():
    """The lattice loss then reaches the output layer of the transducer, which it has nothing to do with otherwise."""
    reached = []
    for gradient in (False, True):
        conf = {"lattice_pooling": "occupancy", "neutral_term": "none", "occupancy_gradient": gradient}
        weights = {"transducer_weight": 1e-12, "utterance_weight": 0.0}
        model = build({"model_conf": {**conf, **weights}})
        model(**tiny_batch())[0].backward()
        reached.append(float(model.transducer.joint.output.weight.grad.abs().max()))
    assert reached[0] < 1e-9 < reached[1]


@pytest.mark.parametrize("changes", [{"lattice_pooling": "mean"}, {"transducer_backend": "torchaudio"}])
def test_the_gradient_of_an_occupancy_that_is_not_there(changes):
    conf = {"lattice_pooling": "occupancy", "occupancy_gradient": True, **changes}
    with pytest.raises(ConfigError, match="occupancy_gradient has no occupancy to go through"):
        build({"model_conf": conf})


def test_occupancy_pooling_needs_a_transducer_loss():
    with pytest.raises(ConfigError, match="occupancy needs the alignments of a transducer"):
        build({"model_conf": {"lattice_pooling": "occupancy", "transducer_weight": 0}})


def test_a_label_out_of_the_vocabulary_is_named_with_its_utterance():
    model, batch = build({}), tiny_batch()
    batch["text"][1, 0] = 99
    with pytest.raises(LossInputError, match="utt1"):
        model(**batch)


def test_collect_feats_gives_the_features_before_augmentation():
    model, batch = build({"specaug": "specaug", "specaug_conf": {"apply_time_mask": False}}), tiny_batch()
    feats = model.collect_feats(**batch)
    assert feats["feats"].shape[-1] == 20
    assert feats["feats_lengths"].tolist() == [61, 41]


def with_intervals(batch, rows):
    """A batch whose utterances are supervised by intervals ``(first sample, first token, emotion)``."""
    padded = torch.full((len(rows), max(map(len, rows)), 3), -1)
    for b, row in enumerate(rows):
        padded[b, : len(row)] = torch.tensor(row)
    return {**batch, "emo_intervals": padded, "emo_intervals_lengths": torch.tensor([len(row) for row in rows])}


ROWS = [[(0, 0, 3), (3200, 1, 0), (8000, 3, 3)], [(0, 0, 2)]]


@SYSTEMS
@pytest.mark.parametrize("mixing_nodes", ["later", "diagonal"])
def test_losses_of_intervals_equal_those_spelled_out(changes, mixing_nodes):
    model_conf = {**changes.get("model_conf", {}), "mixing_nodes": mixing_nodes}
    model, batch = build({**changes, "model_conf": model_conf}), with_intervals(tiny_batch(), ROWS)
    _, stats, _ = model(**batch)
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    h, g = model.transducer.emotion_inputs(enc, model.transducer.predict(batch["text"], batch["text_lengths"]))
    log_probs = model.emotion_joint.terms(h, g).logits().log_softmax(-1)
    lattice, utterance = [], []
    for b, rows in enumerate(ROWS):
        num_frames, num_labels = int(enc.lengths[b]), int(batch["text_lengths"][b])
        in_time = [max(k for k, r in enumerate(rows) if r[0] <= 640 * t + 320) for t in range(num_frames)]
        in_words = [0] + [max(k for k, r in enumerate(rows) if r[1] <= u) for u in range(num_labels)]
        costs = {}
        for t, i in enumerate(in_time):
            for u, j in enumerate(in_words):
                if mixing_nodes == "later" or i == j:
                    costs.setdefault(max(i, j), []).append(-log_probs[b, t, u, rows[max(i, j)][2]])
        lattice.append(sum(torch.stack(cost).mean() for cost in costs.values()))
        entropies = []
        for emotion in sorted({rows[i][2] for i in in_time}):
            frames = [t for t, i in enumerate(in_time) if rows[i][2] == emotion]
            columns = [u for u, j in enumerate(in_words) if rows[j][2] == emotion]
            pooled = torch.cat((h[b, frames].mean(0), g[b, columns].mean(0)))
            head = model.utterance_head
            entropies.append(-head.output(head.norm(pooled)).log_softmax(-1)[emotion])
        utterance.append(torch.stack(entropies).mean())
    torch.testing.assert_close(stats["loss_lattice"].squeeze(), torch.stack(lattice).mean().detach())
    torch.testing.assert_close(stats["loss_utterance"].squeeze(), torch.stack(utterance).mean().detach())


@SYSTEMS
def test_validation_counts_the_stretches_of_each_emotion(changes):
    model = build(changes)
    model.reset_emotion_counts()
    model(**with_intervals(tiny_batch(), ROWS))
    assert model.emotion_counts.sum(axis=1).tolist() == [1, 0, 1, 1]


def test_an_interval_of_the_whole_utterance_is_the_utterance_label_for_the_head():
    model, batch = build({}), tiny_batch()
    rows = [[(0, 0, int(emotion))] for emotion in batch["emotion"]]
    by_intervals, by_label = model(**with_intervals(batch, rows))[1], model(**batch)[1]
    torch.testing.assert_close(by_intervals["loss_utterance"], by_label["loss_utterance"])
