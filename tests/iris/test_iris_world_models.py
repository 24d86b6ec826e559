"""GPT-2, neural circuits and the environment as world models, and traps that each has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_iris import Environments, catch_settings, catch_trainer
from torch import Tensor

from agents.base import AgentRefused
from agents.iris.imagination import Starts, imagine
from agents.iris.optimizing import adamw, trainable
from agents.iris.world_models.building import build_world_model
from agents.iris.world_models.circuits import Circuits
from agents.iris.world_models.dummy import Dummy
from agents.iris.world_models.interface import Sizes, WorldModel
from agents.iris.world_models.ncp_multi_step import MultiStep
from agents.iris.world_models.ncp_single_step import SingleStep
from agents.iris.world_models.transformer import Transformer
from agents.iris.world_models.trunk import causal
from envs.state import restore_state, save_state

SIZES = Sizes(tokens_per_frame=3, vocabulary=7, actions=2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class OfThree(torch.nn.Module):
    """What a world model needs to know of a tokenizer."""

    is_delta = False
    tokens_per_frame, vocabulary = SIZES.tokens_per_frame, SIZES.vocabulary


def built(kind: str, **changes: Any) -> Any:
    settings = catch_settings(**{"world_model": kind, "world_model_layers": 2} | changes)
    tokenizer: Any = OfThree()
    return build_world_model(settings, tokenizer, SIZES.actions, generator(), Environments())


# GPT-2 ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_embd=48, n_head=4, n_layer=3, n_positions=64, vocab_size=11, attn_pdrop=0.0
    )
    torch.manual_seed(0)
    model = transformers.GPT2Model(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(9)))
    folder = tmp_path_factory.mktemp("gpt2")
    model.save_pretrained(folder)
    return model, str(folder)


def loaded(gpt2: tuple[Any, str], **changes: Any) -> Transformer:
    model: Transformer = built("gpt2", gpt2_path=gpt2[1], **changes)
    return model.eval()


def test_loaded_weights_are_still_there_when_the_model_is_built(gpt2: tuple[Any, str]) -> None:
    theirs, ours = gpt2[0], loaded(gpt2)
    assert len(ours.trunk.blocks) == 3 and ours.trunk.width == 48
    for number, block in enumerate(ours.trunk.layers()):
        torch.testing.assert_close(block.qkv.weight, theirs.h[number].attn.c_attn.weight.T)
        torch.testing.assert_close(block.narrow.bias, theirs.h[number].mlp.c_proj.bias)
        torch.testing.assert_close(block.dense_norm.weight, theirs.h[number].ln_2.weight)
    torch.testing.assert_close(ours.trunk.norm.bias, theirs.ln_f.bias)


def test_blocks_compute_what_transformers_does_with_gelu_by_tanh(gpt2: tuple[Any, str]) -> None:
    theirs, ours = gpt2[0], loaded(gpt2).trunk
    with torch.no_grad():
        theirs.wpe.weight.zero_()
        x = torch.randn(2, 9, 48, generator=generator())
        expected = theirs(inputs_embeds=x).last_hidden_state
        found = ours(x, causal(9, x.device))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-6)
        for block in ours.layers():
            block.approximate = "none"  # the exact one is another function
        exact = ours(x, causal(9, x.device))
    assert (exact - expected).abs().max() > 5 * (found - expected).abs().max()


def test_positions_count_once(gpt2: tuple[Any, str]) -> None:
    theirs, ours = gpt2[0], loaded(gpt2)
    tokens = torch.randint(SIZES.vocabulary, (1, 4, 3), generator=generator(4))
    actions = torch.zeros(1, 4, dtype=torch.int64)
    with torch.no_grad():
        places = ours.positions.weight[:16]
        theirs.wpe.weight[:16] = places  # which it adds to what it is fed
        fed = torch.cat(
            (ours.token_embedding(tokens), ours.action_embedding(actions)[:, :, None]), 2
        ).flatten(1, 2)
        features = theirs(inputs_embeds=fed).last_hidden_state.view(1, 4, 4, -1)
        expected = ours.heads.one_by_one(features)
        found = ours.logits(tokens, actions)
    torch.testing.assert_close(found.frames, expected.frames, rtol=1e-4, atol=1e-5)


def test_a_folder_without_gpt2_is_refused_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(AgentRefused, match="give a local folder"):
        built("gpt2", gpt2_path=str(tmp_path))


def test_gpt2_without_a_path_is_freshly_initialised_with_gelu_by_tanh() -> None:
    model = built("gpt2")
    assert {block.approximate for block in model.trunk.layers()} == {"tanh"}
    assert {block.approximate for block in built("transformer").trunk.layers()} == {"none"}


# frozen blocks --------------------------------------------------------------------------------


def frozen_count(width: int) -> int:
    """Of a block: attention 4 d² + 4 d, dense layers 8 d² + 5 d."""
    return 12 * width**2 + 9 * width


@pytest.mark.parametrize(("choice", "blocks"), [(True, 3), (1, 2), (3, 0), ((1,), 1), (False, 0)])
def test_frozen_blocks_keep_attention_and_dense_layers_alone(
    gpt2: tuple[Any, str], choice: Any, blocks: int
) -> None:
    model = loaded(gpt2, world_model_frozen=choice)
    total = sum(parameter.numel() for parameter in model.parameters())
    learning = sum(parameter.numel() for parameter in trainable(model))
    assert total - learning == blocks * frozen_count(48)
    optimizer = adamw(model, 1e-3, 0.01)
    in_optimizer = [p for group in optimizer.param_groups for p in group["params"]]
    assert sum(parameter.numel() for parameter in in_optimizer) == learning


def test_what_is_frozen_stays_and_the_rest_learns(gpt2: tuple[Any, str]) -> None:
    trainer = catch_trainer(
        steps=60,
        world_model="gpt2",
        gpt2_path=gpt2[1],
        world_model_frozen=2,
        tokenizer_steps=0,
        world_model_start_epoch=0,
        world_model_steps=2,
        actor_critic_steps=0,
    )
    before = {name: p.detach().clone() for name, p in trainer.world_model.named_parameters()}
    trainer.run()
    changed = {
        name
        for name, parameter in trainer.world_model.named_parameters()
        if not torch.equal(parameter, before[name])
    }
    frozen = {name for name, p in trainer.world_model.named_parameters() if not p.requires_grad}
    assert {name.split(".")[2] for name in frozen} == {"0"}
    assert not changed & frozen
    assert {"positions.weight", "trunk.blocks.0.dense_norm.weight"} <= changed
    assert "trunk.blocks.1.qkv.weight" in changed


# neural circuits ------------------------------------------------------------------------------


def circuits(kind: str, **changes: Any) -> WorldModel:
    pytest.importorskip("ncps")
    model: WorldModel = built(kind, **{"world_model_embed_dim": 8} | changes)
    return model.eval()


def test_a_single_step_model_has_seen_nothing_before_its_first_action() -> None:
    model = circuits("ncp_single_step")
    assert isinstance(model, SingleStep)
    inputs: list[Tensor] = []
    model.circuits.register_forward_pre_hook(lambda _m, given: inputs.append(given[0]))
    tokens = torch.randint(SIZES.vocabulary, (2, 3), generator=generator(1))
    model.reset(tokens)
    assert inputs == []  # a reset that fed the frame with some action would be a phantom step
    actions = torch.tensor([1, 0])
    model.step(actions, generator())
    assert len(inputs) == 1
    torch.testing.assert_close(inputs[0], model._embedded(tokens[:, None], actions[:, None]))


@pytest.mark.parametrize("kind", ["ncp_single_step", "ncp_multi_step"])
def test_what_circuits_imagine_is_what_they_say_of_the_whole_sequence(kind: str) -> None:
    model: Any = circuits(kind)
    head = model.token_head if isinstance(model, SingleStep) else model.heads.token
    logits: list[Tensor] = []
    hook = head.register_forward_hook(lambda _m, _i, out: logits.append(out))
    first = torch.randint(SIZES.vocabulary, (2, 3), generator=generator(1))
    actions = torch.randint(SIZES.actions, (2, 5), generator=generator(2))
    model.reset(first)
    frames, drawing = [first], generator(3)
    for step in range(5):
        frames.append(model.step(actions[:, step], drawing).tokens)
    hook.remove()
    said = torch.cat([part.reshape(2, -1, SIZES.vocabulary) for part in logits], 1)
    said = said.view(2, 5, 3, SIZES.vocabulary)
    with torch.no_grad():
        full = model.logits(torch.stack(frames, 1), torch.cat((actions, actions[:, :1]), 1))
    torch.testing.assert_close(said, full.frames[:, :5], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["transformer", "ncp_single_step", "ncp_multi_step"])
def test_what_is_imagined_first_depends_on_every_token_of_the_first_frame(kind: str) -> None:
    model: Any = built("transformer") if kind == "transformer" else circuits(kind)
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and parameter.dim() > 1:
                parameter.mul_(5)
    rewards = model.heads.reward if hasattr(model, "heads") else model.reward_head
    said: list[Tensor] = []
    rewards.register_forward_hook(lambda _m, _i, out: said.append(out.flatten()))
    for place in (None, 0, 1, 2):
        tokens = torch.tensor([[1, 2, 3]])
        if place is not None:
            tokens[0, place] = 6
        model.reset(tokens)
        model.step(torch.tensor([1]), generator())
    for other in said[1:]:
        assert (other - said[0]).abs().max() > 1e-6


def test_a_reset_forgets_what_was_imagined_before() -> None:
    for kind in ("transformer", "ncp_single_step", "ncp_multi_step"):
        model: Any = built("transformer") if kind == "transformer" else circuits(kind)
        model.eval()
        tokens, actions = torch.tensor([[1, 2, 3]]), torch.tensor([1])
        steps = []
        for _ in range(2):
            model.reset(tokens)
            drawing = generator(5)
            steps.append([model.step(actions, drawing).tokens for _ in range(3)])
        assert all(torch.equal(a, b) for a, b in zip(*steps, strict=True)), kind


def test_circuits_of_the_original_have_their_published_wiring() -> None:
    pytest.importorskip("ncps")
    settings = catch_settings(world_model="ncp_multi_step", world_model_layers=1)
    model = MultiStep(settings, SIZES, generator())
    assert model.circuits.cells[0].wired_mode
    assert model.circuits.cells[0].state_size == 2 * settings.world_model_embed_dim
    single = SingleStep(settings, SIZES, generator())
    assert single.circuits.cells[0].state_size == 1.5 * 4 * settings.world_model_embed_dim
    with pytest.raises(AgentRefused, match="67 at least"):
        Circuits(catch_settings(ncp_units=66), 64, 2.0, generator())


# the environment ------------------------------------------------------------------------------


def test_the_dummys_imagination_is_what_the_environment_does() -> None:
    makers = Environments(seed=3)
    problem = makers(0)
    trainer = catch_trainer(world_model="dummy", makers=makers)
    dummy, tokenizer = trainer.world_model, trainer.tokenizer
    assert isinstance(dummy, Dummy)
    observation, _ = problem.reset(seed=5)
    for action in (0, 2, 2, 1):  # trajectories begin where an episode has got to
        observation, *_ = problem.step(action)
    first = tokenizer.encode(torch.as_tensor(observation)[None].repeat(2, 1, 1, 1))
    starts = Starts(first[:, None], torch.ones(2, 1, dtype=torch.bool), [save_state(problem)] * 2)
    imagined = imagine(trainer.actor_critic, dummy, tokenizer, starts, 25, generator(1))
    assert starts.snapshots is not None
    snapshot = starts.snapshots[0]

    for trajectory in range(2):
        restore_state(problem, snapshot)
        over = False
        for step in range(24):
            reward = 0.0
            if not over:
                action = int(imagined.actions[trajectory, step])
                observation, reward, over, _, _ = problem.step(action)
            tokens = tokenizer.encode(torch.as_tensor(observation)[None])[0]
            assert torch.equal(imagined.tokens[trajectory, step + 1], tokens)
            assert float(imagined.rewards[trajectory, step]) == np.sign(reward)
            assert bool(imagined.ends[trajectory, step]) == over
        assert over  # steps of one that has ended are not taken
        assert int(imagined.mask[trajectory].sum()) == int((~imagined.ends[trajectory]).sum()) + 1


def test_the_dummy_is_not_trained() -> None:
    trainer = catch_trainer(
        steps=60,
        world_model="dummy",
        tokenizer_steps=1,
        world_model_start_epoch=0,
        actor_critic_start_epoch=0,
        actor_critic_steps=1,
    )
    trainer.run()
    state = trainer.state_dict()
    assert set(state["optimizers"]) == {"tokenizer", "actor_critic"}
    assert state["modules"]["world_model"] == {}
