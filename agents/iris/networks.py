"""The three networks of a run in files, for who watches, evaluates or goes on from them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import msgspec
import torch
from torch import nn

from agents.base import AgentRefused
from agents.iris.actor_critic import ActorCritic
from agents.iris.episode_files import write_whole
from agents.iris.settings import IrisSettings
from agents.iris.tokenizer.building import FILE as TOKENIZER
from agents.iris.tokenizer.building import build_tokenizer, save_tokenizer
from agents.iris.tokenizer.interface import Tokenizer
from agents.iris.world_models.building import build_world_model
from agents.iris.world_models.interface import Dynamics

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker

FILE = "networks.pt"


class Networks(NamedTuple):
    """What was learned, in evaluation mode."""

    tokenizer: Tokenizer
    world_model: Dynamics
    actor_critic: ActorCritic

    @property
    def parts(self) -> dict[str, nn.Module]:
        """By name."""
        return dict(self._asdict())


def save_networks(networks: Networks, settings: IrisSettings, folder: Path) -> None:
    """Writes all three to one file, and the tokenizer to one of its own, for `tokenizer_path`."""
    buffer = io.BytesIO()
    torch.save({name: part.state_dict() for name, part in networks.parts.items()}, buffer)
    write_whole(folder / FILE, buffer.getvalue())
    save_tokenizer(networks.tokenizer, settings, folder / TOKENIZER)


def load_networks(
    settings: IrisSettings,
    observation_space: gymnasium.Space[Any],
    actions: int,
    make_environment: EnvironmentMaker,
    path: Path,
) -> Networks:
    """
    Args:
        actions: how many there are.
        make_environment: for world model "dummy".
        path: the file, or the folder that it lies in.

    Raises:
        AgentRefused: there is none, or it is of other settings.
    """
    file = path / FILE if path.is_dir() else path
    settings = msgspec.structs.replace(settings, tokenizer_path=None, tokenizer_should_train=True)
    generator = torch.Generator().manual_seed(0)
    tokenizer = build_tokenizer(settings, observation_space, actions, generator)
    model = build_world_model(settings, tokenizer, actions, generator, make_environment)
    actor_critic = ActorCritic(settings, tokenizer.frames.shape, actions, generator)
    networks = Networks(tokenizer, model, actor_critic)
    try:
        content = torch.load(file, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise AgentRefused(f"{file} is not there: the run has saved nothing yet") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise AgentRefused(f"{file} has no networks ({error})") from None
    for name, part in networks.parts.items():
        try:
            part.load_state_dict(content[name])
        except (RuntimeError, KeyError) as error:
            said = str(error).strip().splitlines()[-1].strip()
            raise AgentRefused(f"{file}: {name} is of other settings ({said})") from None
        part.eval().requires_grad_(False)
    return networks
