"""The context model of indices in layers."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqvae.backend.dispatch import Compiled, Plain
from vqvae.entropy import LayeredContext
from vqvae.entropy.base import MAX_RATE
from vqvae.entropy.context.conditions import AROUND, CONDITION_LIMITS, Conditions
from vqvae.entropy.context.training import TrainedConditions
from vqvae.errors import BitstreamError

SIZE = 8  # values of an index


def make(**changes) -> LayeredContext:
    arguments = {
        "stages": 6,
        "index_bits": 3,
        "layers": 3,
        "dim": 8,
        "earlier_dim": 6,
        "hidden": [[16, 12], [12, 16], [8, 8]],
        "rates": 3,
        "steps": 200,
        "batch": 512,
        "learning_rate": 0.01,
    }
    return LayeredContext(**{**arguments, **changes})


def images(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices whose later layers repeat the right neighbour of the first one, at rates that decide the values."""
    draws = np.random.default_rng(3)
    rates = np.arange(number) % 3 * 127
    first = draws.integers(2, size=(number, 12, 11, 2)) + rates[:, None, None, None] // 127 * 3
    second = np.roll(first, -1, 2)
    return np.concatenate([first, second, second], -1), rates


@pytest.fixture(scope="module")
def model() -> LayeredContext:
    torch.manual_seed(0)
    indices, rates = images(60)
    fitted = make()
    fitted.fit(indices.astype(np.uint16), torch.randn(6, SIZE, 6), rates=rates)
    fitted.check()
    return fitted


def code(model: LayeredContext, indices: np.ndarray) -> list[list[bytes]]:
    """The payloads of each layer."""
    return [model.encode(indices[..., :end], end - 2) for end in model.layers]


@pytest.mark.parametrize("backend", [Compiled(), Plain()])
def test_layers_are_decoded_one_after_the_other(model, backend):
    indices, rates = images(3)
    with backend.coding(10**6):
        for rate, image in zip(rates, indices[:, None], strict=True):
            at_rate = model.at_rate(int(rate))
            decoded = image[..., :0]
            for end, payloads in zip(model.layers, code(at_rate, image), strict=True):
                decoded = at_rate.decode(payloads, decoded, end)
                assert np.array_equal(decoded, image[..., :end])


def test_compiled_and_plain_code_give_the_same_bytes_and_choose_the_same_indices(model):
    indices, _ = images(2)
    draws = np.random.default_rng(0)
    vectors, codebooks = (draws.normal(size=size).astype(np.float32) for size in ((2, 12, 11, 2, 3), (2, SIZE, 3)))
    costs = draws.uniform(size=(2, SIZE)).astype(np.float32)
    found = []
    for backend in (Compiled(), Plain()):
        with backend.coding(10**6):
            chosen = model.rdo_quantize_layer(vectors, codebooks, 0.1, costs, indices[..., :2])
            found.append((code(model, indices), chosen.tolist()))
    assert found[0] == found[1]


def test_high_grids_are_coded_in_slices_that_see_one_another_in_earlier_layers(model):
    draws = np.random.default_rng(8)
    first = draws.integers(SIZE, size=(2, 70, 5, 2))
    indices = np.concatenate([first, np.roll(first, -1, 2), np.roll(first, 1, 1)], -1)
    payloads = model.encode(indices, 4)
    assert np.array_equal(model.decode(payloads, indices[..., :4], 6), indices)
    lengths = [int.from_bytes(payload[:4], "big") for payload in payloads]
    added = model.conditions[2].sums(model.rate, indices[..., :4], 2)  # 70 rows: two slices of 35
    second = model.contexts[2].encode(indices[:, 35:, :, 4:], 0, lambda positions: added(positions + 35 * (5 + 4)))
    for payload, length, expected in zip(payloads, lengths, second, strict=True):
        assert payload[4 + length :] == expected
    other = indices.copy()
    other[:, 36, :, 0] ^= 1  # a row of the second slice, in the first layer
    with pytest.raises(BitstreamError):
        model.decode(payloads, other[..., :4], 6)
    with pytest.raises(BitstreamError, match="before its last slice"):
        model.decode([b"\xff" + payload[1:] for payload in payloads], indices[..., :4], 6)


def test_bits_are_those_of_the_payloads(model):
    indices, _ = images(1)
    whole = 8 * sum(len(payload) for (payload,) in code(model, indices))
    assert whole - 30 < model.bits(indices)[0] < whole + 1
    assert model.bits(indices, 2) + model.bits(indices[..., :2]) == pytest.approx(model.bits(indices))


def test_the_rate_and_what_lies_ahead_in_earlier_layers_are_made_use_of(model):
    indices, rates = images(6)
    for rate, image in zip(rates, indices[:, None], strict=True):
        right, wrong = (model.at_rate(int(one)) for one in (rate, (rate + 127) % 381))
        corner = image[:, :1, :1, :2]  # whose neighbours tell nothing
        assert right.bits(corner)[0] < 0.75 * wrong.bits(corner)[0]
        first, others = right.bits(image[..., :2])[0], right.bits(image, 2)[0]
        assert others < 0.5 * first  # two layers, but all known from the first one except at the border


def test_a_layer_of_costs_and_no_weight_of_the_rate_is_chosen_by_distance_and_costs(model):
    draws = np.random.default_rng(1)
    vectors, codebooks = (draws.normal(size=size).astype(np.float32) for size in ((1, 5, 6, 2, 3), (2, SIZE, 3)))
    costs = draws.uniform(size=(2, SIZE)).astype(np.float32)
    chosen = model.rdo_quantize_layer(vectors, codebooks, 0.0, costs, np.empty((1, 5, 6, 0), np.int64))
    distances = np.square(vectors[..., None, :] - codebooks).sum(-1) + costs
    assert np.array_equal(chosen, distances.argmin(-1))


def test_layers_that_an_image_does_not_have_are_left_out_of_the_fit():
    torch.manual_seed(0)
    indices, rates = images(12)
    indices[::2, ..., 2:] = SIZE
    model = make(steps=5)
    model.fit(indices.astype(np.uint16), torch.randn(6, SIZE, 6), rates=rates)
    model.check()
    assert model.conditions[2].embedding.any()


def test_before_it_is_fitted_a_model_takes_the_fixed_width_or_hardly_more():
    indices, _ = images(2)
    assert make().bits(indices) == pytest.approx(12 * 11 * 6 * 3, rel=0.01)


def test_its_tables_are_integers_and_survive_a_copy(model):
    tables = model.state_dict()
    assert not any(table.is_floating_point() for table in tables.values())
    copy = make()
    copy.load_state_dict(tables, assign=True)
    copy.check()
    indices, _ = images(2)
    assert code(copy, indices) == code(model, indices)


@given(payload=st.binary(max_size=40), layer=st.integers(0, 2), height=st.integers(1, 5), width=st.integers(1, 5))
def test_any_bytes_are_refused_or_are_just_what_would_be_written(model, payload, layer, height, width):
    known = np.random.default_rng(0).integers(SIZE, size=(1, height, width, 2 * layer))
    with suppress(BitstreamError):
        decoded = model.decode([payload], known, 2 * layer + 2)
        assert model.encode(decoded, 2 * layer) == [payload]


def conditions(earlier: int = 4) -> Conditions:
    draws = np.random.default_rng(2)
    made = Conditions(earlier, SIZE, 3, 5, 4)
    for name, table in made.named_buffers():
        limit = min(CONDITION_LIMITS[name], 2000)
        setattr(made, name, torch.from_numpy(draws.integers(-limit, limit + 1, table.shape)).to(table.dtype))
    made.check()
    return made


@pytest.mark.parametrize("rate", [0, 1, 100, 170, 255])
def test_conditions_add_up_as_documented(rate):
    made = conditions()
    indices = np.random.default_rng(4).integers(SIZE, size=(1, 4, 3, 4))
    sums = made.sums(rate, indices, reach=2)
    node, fraction = rate * 3 // MAX_RATE, rate * 3 % MAX_RATE
    table = made.rate.numpy().astype(int)
    of_rate = (table[node] * (255 - fraction) + table[min(node + 1, 3)] * fraction) // 255
    for y in range(4):
        for x in range(3):
            expected = of_rate.copy()
            for number, (down, right) in enumerate(AROUND):
                if 0 <= y + down < 4 and 0 <= x + right < 3:
                    for j in range(4):
                        embedded = made.embedding[j, indices[0, y + down, x + right, j]].long()
                        expected += (embedded @ made.around[number].long()).numpy()
            assert np.array_equal(sums(np.array([(y + 2) * 7 + x + 2]))[0, 0], expected)


@pytest.mark.parametrize("earlier", [0, 4])
def test_trained_conditions_add_what_the_tables_add(earlier):
    made = conditions(earlier)
    indices = np.random.default_rng(5).integers(SIZE, size=(2, 4, 3, earlier))
    trained = TrainedConditions(dict(made.named_buffers()), torch.zeros(earlier, SIZE, 3))
    added = trained(torch.tensor([85, 200]), torch.from_numpy(indices)).detach() * 2**13
    positions = (np.arange(4)[:, None] + 2) * 7 + np.arange(3) + 2
    for image, rate in enumerate((85, 200)):
        expected = made.sums(rate, indices[image : image + 1], reach=2)(positions.ravel())
        expected = np.broadcast_to(expected, (1, 12, 5)).reshape(4, 3, 5)
        np.testing.assert_allclose(added[image].numpy(), expected, atol=1)  # the rate's part is rounded down


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 4}, "must divide the 6 indices"),
        ({"layers": 0}, "must divide the 6 indices"),
        ({"hidden": [[8, 8]]}, "an entry for each of 3 layers"),
        ({"rates": 1}, "from 2 to 256"),
        ({"rates": 257}, "from 2 to 256"),
        ({"stages": 72, "dim": 60, "earlier_dim": 60}, "2\\^31"),
    ],
)
def test_what_is_impossible_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("name", ["rate", "embedding", "around"])
def test_tables_out_of_range_are_refused(name):
    model = make()
    table = getattr(model.conditions[1], name)
    table.view(-1)[0] = CONDITION_LIMITS[name] + 1 if name != "around" else -128
    with pytest.raises(ValueError, match=f"{name} is out of range"):
        model.check()


def test_a_damaged_payload_is_refused(model):
    indices, _ = images(1)
    (payload,) = model.encode(indices[..., :2], 0)
    with pytest.raises(BitstreamError):
        model.decode([payload[:-1] + bytes([payload[-1] ^ 1, 7])], indices[..., :0], 2)
