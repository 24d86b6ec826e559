"""The learner of Q: that of `torch_learner`, with another head.

Of K + 1 states in a row, only Q of the action that was done is learned, towards z_k, the n rewards
and then the greatest Q of the target network (not double):

    l_k = c_v CE(z_k, Q(s_k, a_t+k)) + [k > 0] (c_r CE(u_k, r(s_k)) + c_s ...)

Beyond a termination Q is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.muzero.mirrored_inference import MirroredQInference
from agents.muzero.networks import Network
from agents.muzero.q_targets import taken
from agents.muzero.replay import Batch
from agents.muzero.torch_inference import Floats
from agents.muzero.torch_learner import TorchLearner
from agents.muzero.torch_q_inference import QInference
from agents.muzero.torch_scalars import decode, two_hot


class QLearner(TorchLearner):
    """See `agents.muzero.interfaces.Learner`."""

    def _inference(self, network: Network) -> QInference:
        both = (self._values_of, self._rewards_of)
        if self._is_mirrored(network):
            return MirroredQInference(self.settings, network, self._read, *both)
        return QInference(network, self._read, *both)

    def _head_losses(
        self, every: Tensor, batch: Batch, values: Floats, scales: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        B, support = len(batch.starts), self._values_of
        actions, mask = taken(batch)
        logits = self._network.predict(every)[0].float().view(len(every), -1, support.bins)
        rows = torch.arange(len(every), device=self._device)
        logits = logits[rows, self._to(actions.T).reshape(-1)]
        targets = self._to(values.swapaxes(0, 1)).flatten(0, 1)
        hot = two_hot(targets, support) if targets.ndim == 1 else targets
        losses = -(hot * logits.log_softmax(-1)).sum(-1)
        loss = (losses * (scales * self._to(mask.T)).reshape(-1)).sum()
        with torch.no_grad():
            if targets.ndim == 1:
                errors = decode(logits[:B], support) - targets[:B]
            else:
                # KL(z || Q)
                errors = losses[:B] + torch.special.xlogy(hot[:B], hot[:B]).sum(-1)
            errors = errors.masked_fill(~self._to(mask[:, 0]), torch.nan)
        return self.settings.value_loss_weight * loss, errors, {"value_loss": loss}
