"""GPT: its size, its attention, how it draws letters, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine.hyperparameters import hyperparameters_of, make_params, values_of
from engine.lab import LabError, advance, start, views_of
from engine.labs.language.gpt import GPT, LETTERS, WARM_UP, WINDOWS, Block, GPTParams
from engine.payloads import Pick, TextData, Typed
from engine.watch import render

SMALL = {"layers": 2, "heads": "2", "width": "32", "context": 16}


@pytest.fixture
def lab() -> GPT:
    torch.set_num_threads(1)
    lab = start(GPT, make_params(GPTParams, SMALL))
    assert isinstance(lab, GPT)
    return lab


def poke(lab: GPT, gesture: object) -> None:
    handler = views_of(lab)["writing"].on_probe
    assert handler is not None
    handler(lab, gesture)


def turn(lab: GPT, **values: object) -> None:
    lab.hp = make_params(GPTParams, {**values_of(lab.hp), **values})
    for name in values:
        lab.changed(name)


@pytest.mark.parametrize(("layers", "width", "context"), [(4, 128, 64), (1, 32, 8), (2, 256, 16)])
def test_parameters_are_those_of_the_formula(layers: int, width: int, context: int) -> None:
    lab = start(GPT, make_params(GPTParams, {"layers": layers, "width": str(width), "context": context}))
    v, d = len(lab.alphabet), width
    assert lab.facts()["parameters"] == f"{v * d + context * d + layers * (12 * d * d + 2 * d) + d:,}"


def test_a_block_is_torchs_own_encoder_layer_with_a_causal_mask() -> None:
    torch.manual_seed(0)
    block = Block(32, 4, 0.0)
    reference = nn.TransformerEncoderLayer(
        32, 4, 128, dropout=0, activation="gelu", norm_first=True, bias=False, batch_first=True
    )
    pairs = {
        "self_attn.in_proj_weight": block.qkv.weight,
        "self_attn.out_proj.weight": block.out.weight,
        "linear1.weight": block.up.weight,
        "linear2.weight": block.down.weight,
        "norm1.weight": block.norm1.weight,
        "norm2.weight": block.norm2.weight,
    }
    reference.load_state_dict(pairs)
    x, mask = torch.randn(3, 10, 32), nn.Transformer.generate_square_subsequent_mask(10)
    torch.testing.assert_close(block(x), reference(x, src_mask=mask, is_causal=True), atol=1e-5, rtol=1e-5)
    _, weights = reference.self_attn(*[block.norm1(x)] * 3, attn_mask=mask, average_attn_weights=False)
    torch.testing.assert_close(block.weights(x), weights, atol=1e-5, rtol=1e-5)


def test_shown_attention_is_that_which_the_fused_kernel_uses(lab: GPT) -> None:
    block, x = lab.net.blocks[0], torch.randn(1, 16, 32)
    q, k, v = block.split(x)
    fused = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(block.weights(x) @ v, fused, atol=1e-5, rtol=1e-5)


def test_attention_rows_sum_to_1_and_look_only_back(lab: GPT) -> None:
    poke(lab, Typed("A hare and\na robin"))
    shown = render(lab, "attention")
    assert shown.values.shape == (4, 16, 16)  # 2 layers of 2 heads over the last 16 characters
    np.testing.assert_allclose(shown.values.sum(2), 1, atol=1e-5)
    assert not np.triu(shown.values, 1).any()
    assert shown.names == ("layer 1 head 1", "layer 1 head 2", "layer 2 head 1", "layer 2 head 2")
    assert shown.rows == shown.columns == tuple("hare␣and↵a␣robin")


def test_the_future_does_not_change_the_past(lab: GPT) -> None:
    first = torch.randint(len(lab.alphabet), (1, 16))
    second = first.clone()
    second[0, 9:] = (second[0, 9:] + 1) % len(lab.alphabet)
    one, two = lab.net(first), lab.net(second)
    torch.testing.assert_close(one[0, :9], two[0, :9])
    assert not torch.allclose(one[0, 9:], two[0, 9:])


def test_temperature_divides_the_logits(lab: GPT) -> None:
    logits = torch.tensor([2.0, 0.0, 1.0, -1.0])
    turn(lab, temperature=0.5)
    torch.testing.assert_close(lab.chances_of(logits), (2 * logits).softmax(0))


def test_top_k_keeps_the_k_likeliest(lab: GPT) -> None:
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()
    turn(lab, top_k=2)
    torch.testing.assert_close(lab.chances_of(logits), torch.tensor([0, 4 / 7, 0, 3 / 7]))
    turn(lab, top_k=50)  # more than there are
    torch.testing.assert_close(lab.chances_of(logits), logits.exp())


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.05, [0, 1, 0, 0]),
        (0.41, [0, 4 / 7, 0, 3 / 7]),
        (0.71, [0, 4 / 9, 2 / 9, 3 / 9]),
        (1.0, [0.1, 0.4, 0.2, 0.3]),
    ],
)
def test_top_p_keeps_the_fewest_that_reach_it(lab: GPT, top_p: float, kept: list[float]) -> None:
    turn(lab, top_p=top_p)
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()
    torch.testing.assert_close(lab.chances_of(logits), torch.tensor(kept, dtype=torch.float32))


def test_view_knobs_need_no_forward_pass(lab: GPT) -> None:
    declared = hyperparameters_of(GPTParams)
    assert {name for name, hp in declared.items() if hp.view} == {"temperature", "top_k", "top_p"}
    passes: list[object] = []
    lab.net.register_forward_hook(lambda *_: passes.append(None))
    before = render(lab, "chances").values
    assert len(passes) == 1
    turn(lab, temperature=0.2, top_k=3)
    after = render(lab, "chances").values
    assert len(passes) == 1
    assert after[0] > before[0]
    assert np.count_nonzero(after) == 3
    advance(lab)
    trained = len(passes)
    render(lab, "chances")
    assert len(passes) == trained + 1  # the weights are new
    lab.net.load_state_dict({name: value.clone() for name, value in lab.net.state_dict().items()})
    render(lab, "chances")
    assert len(passes) == trained + 2


def test_chances_are_of_the_next_character(lab: GPT) -> None:
    poke(lab, Typed("The hare"))
    shown = render(lab, "chances")
    lab.net.eval()
    expected = lab.net(lab.tokens("The hare"))[0, -1].softmax(0).sort(descending=True)
    np.testing.assert_allclose(shown.values, expected.values[:12].detach().numpy(), atol=1e-6)
    assert shown.labels[0] == lab.shown[int(expected.indices[0])]


def test_it_writes_after_the_prompt_and_says_what_else_it_weighed(lab: GPT) -> None:
    poke(lab, Typed("The "))
    text = render(lab, "writing")
    assert isinstance(text, TextData)
    assert "".join(text.tokens[:4]) == "The "
    assert len(text.tokens) == 4 + LETTERS
    assert np.isnan(text.probabilities[:4]).all()
    assert ((text.probabilities[4:] > 0) & (text.probabilities[4:] <= 1)).all()
    assert text.alternatives[:4] == ((),) * 4
    for token, probability, others in list(zip(text.tokens, text.probabilities, text.alternatives, strict=True))[4:]:
        assert dict(others).get(token, probability) == pytest.approx(probability)
        assert [p for _, p in others] == sorted((p for _, p in others), reverse=True)
    assert render(lab, "writing").tokens == text.tokens


def test_with_top_k_1_it_writes_the_likeliest(lab: GPT) -> None:
    turn(lab, top_k=1)
    poke(lab, Typed("The hare"))
    text = "".join(render(lab, "writing").tokens)
    lab.net.eval()
    for end in range(8, 17):  # from then on it has more to look back on than fits
        assert text[end] == lab.alphabet[int(lab.net(lab.tokens(text[:end]))[0, -1].argmax())]


def test_reading_on_is_reading_the_whole_again(lab: GPT) -> None:
    lab.net.eval()
    tokens, pasts = lab.tokens("A hare and a fox"), [[], []]
    parts = [lab.net(tokens[:, :10], pasts), *(lab.net(tokens[:, i : i + 1], pasts) for i in range(10, 16))]
    torch.testing.assert_close(torch.cat(parts, 1), lab.net(tokens), atol=1e-5, rtol=1e-5)


def test_a_click_branches(lab: GPT) -> None:
    text = render(lab, "writing").tokens
    poke(lab, Pick(30))
    assert lab.prompt == "".join(text[:31])
    other = next(letter for letter in lab.alphabet if letter != text[20])
    poke(lab, Pick(20, text=other))
    assert lab.prompt == "".join(text[:20]) + other
    assert "".join(render(lab, "writing").tokens).startswith(lab.prompt)


def test_unknown_characters_are_named(lab: GPT) -> None:
    before = lab.prompt
    with pytest.raises(LabError, match="§ ß"):
        poke(lab, Typed("Spaß §a"))
    assert lab.prompt == before
    poke(lab, Typed(""))
    assert lab.prompt == lab.alphabet[0]
    render(lab, "chances")


def test_characters_lie_in_the_plane_of_most_variance(lab: GPT) -> None:
    shown = render(lab, "letters")
    x = lab.net.letters.weight.detach()
    values = torch.linalg.svdvals(x - x.mean(0))
    np.testing.assert_allclose(np.square(shown.xy).sum(0), values[:2].square().numpy(), rtol=1e-4)
    assert shown.names == lab.shown
    assert shown.classes[shown.labels[lab.alphabet.index("e")]] == "vowels"
    assert shown.classes[shown.labels[lab.alphabet.index("T")]] == "capitals"


def test_the_schedule_warms_up_and_falls_to_a_tenth(lab: GPT) -> None:
    rates = {}
    for lab.step_count in (0, WARM_UP, 1050, 2000, 5000):
        rates[lab.step_count] = lab.rate()
    assert rates == pytest.approx({0: 3e-3 / 101, WARM_UP: 3e-3, 1050: 1.65e-3, 2000: 3e-4, 5000: 3e-4})
    turn(lab, schedule=False)
    assert lab.rate() == 3e-3


def test_it_learns_in_30_steps(lab: GPT) -> None:
    turn(lab, schedule=False, learning_rate=3e-3)
    losses = [float((advance(lab) or {})["train loss"]) for _ in range(30)]
    assert losses[0] == pytest.approx(math.log(len(lab.alphabet)), abs=0.1)
    assert losses[-1] < losses[0] - 0.5


def test_parts_of_a_batch_add_up_to_its_gradient() -> None:
    lab = start(GPT, make_params(GPTParams, {**SMALL, "context": 256, "batch_size": 8}))
    rng = torch.get_rng_state()
    step = lab.step()
    assert [next(step) for _ in range(4)] == ["forward", "backward"] * 2  # 8 windows of 256 go through 4 at a time
    torch.set_rng_state(rng)
    starts = torch.randint(len(lab.text) - 256, (8, 1))
    found = lab.net.blocks[0].qkv.weight.grad.clone()
    lab.net.zero_grad()
    lab.loss_of(lab.text[starts + torch.arange(257)]).backward()
    torch.testing.assert_close(found, lab.net.blocks[0].qkv.weight.grad, atol=1e-6, rtol=1e-4)


def test_validation_reads_its_fixed_windows(lab: GPT) -> None:
    metrics = advance(lab) or {}
    lab.net.eval()
    with torch.no_grad():
        whole = lab.loss_of(lab.windows)
    assert lab.windows.shape == (WINDOWS, 17)
    assert float(metrics["validation loss"]) == pytest.approx(float(whole), abs=1e-5)
    assert "validation loss" not in (advance(lab) or {})


def test_measure_is_the_mean_over_all_held_out_text(lab: GPT) -> None:
    lab.held_out = lab.held_out[:100]
    with torch.no_grad():
        losses = [float(lab.loss_of(lab.held_out[None, i : i + 17])) for i in range(0, 84, 16)]
        assert lab.measure() == pytest.approx(np.mean(losses), abs=1e-5)


def test_a_text_too_short_to_look_back_so_far_is_refused(tmp_path: object) -> None:
    path = f"{tmp_path}/short.txt"
    with open(path, "w", encoding="utf-8") as file:
        file.write("to be or not to be " * 30)
    with pytest.raises(LabError, match="570 characters; to look back 64"):
        start(GPT, dataset=path)
