"""SAC in one file of ordinary torch modules for `actor_critic.py`: what a researcher would write.

The usual one-file layout: networks, replay in numpy, a loop of act, store, sample, three losses
with autograd and torch.optim.Adam.
"""

from __future__ import annotations

import gymnasium
import numpy as np
import torch
from sac_task import Stopwatch, Task
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0


class SoftQ(nn.Module):
    """Q(s, a)."""

    def __init__(self, observations: int, actions: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(observations + actions, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        x = torch.cat([observation, action], dim=1)
        x = functional.relu(self.fc1(x))
        x = functional.relu(self.fc2(x))
        return self.fc3(x).squeeze(-1)  # type: ignore[no-any-return]


class TanhGaussian(nn.Module):
    """π(a|s), squashed into the box of actions."""

    def __init__(self, observations: int, box: gymnasium.spaces.Box, width: int) -> None:
        super().__init__()
        actions = box.shape[0]
        self.fc1 = nn.Linear(observations, width)
        self.fc2 = nn.Linear(width, width)
        self.mean = nn.Linear(width, actions)
        self.log_std = nn.Linear(width, actions)
        self.scale = torch.as_tensor((box.high - box.low) / 2)
        self.centre = torch.as_tensor((box.high + box.low) / 2)

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """A draw and its log-probability."""
        x = functional.relu(self.fc1(observation))
        x = functional.relu(self.fc2(x))
        std = self.log_std(x).clamp(LOG_STD_MIN, LOG_STD_MAX).exp()
        law = Normal(self.mean(x), std)
        u = law.rsample()
        y = torch.tanh(u)
        log_prob = law.log_prob(u)  # type: ignore[no-untyped-call]
        log_prob = log_prob - torch.log(self.scale * (1 - y.pow(2)) + 1e-6)
        return self.centre + self.scale * y, log_prob.sum(1)


class ReplayBuffer:
    """The last `capacity` transitions."""

    def __init__(self, capacity: int, observations: int, actions: int) -> None:
        self.observations = np.zeros((capacity, observations), np.float32)
        self.actions = np.zeros((capacity, actions), np.float32)
        self.rewards = np.zeros(capacity, np.float32)
        self.successors = np.zeros((capacity, observations), np.float32)
        self.terminations = np.zeros(capacity, np.float32)
        self.capacity, self.next, self.size = capacity, 0, 0

    def add(
        self,
        observation: np.ndarray,
        action: np.ndarray,
        reward: float,
        successor: np.ndarray,
        terminated: bool,
    ) -> None:
        self.observations[self.next] = observation
        self.actions[self.next] = action
        self.rewards[self.next] = reward
        self.successors[self.next] = successor
        self.terminations[self.next] = terminated
        self.next = (self.next + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def sample(self, batch: int) -> list[Tensor]:
        places = np.random.randint(0, self.size, batch)
        arrays = (
            self.observations,
            self.actions,
            self.rewards,
            self.successors,
            self.terminations,
        )
        return [torch.from_numpy(array[places]) for array in arrays]


class Agent:
    """Networks, optimizers, temperature."""

    def __init__(self, task: Task, observations: int, box: gymnasium.spaces.Box) -> None:
        self.task, actions = task, box.shape[0]
        self.actor = TanhGaussian(observations, box, task.width)
        self.q1, self.q2, self.q1_target, self.q2_target = (
            SoftQ(observations, actions, task.width) for _ in range(4)
        )
        self.q1_target.load_state_dict(self.q1.state_dict())
        self.q2_target.load_state_dict(self.q2.state_dict())
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=task.lr)
        self.q_optimizer = torch.optim.Adam(
            [*self.q1.parameters(), *self.q2.parameters()], lr=task.lr
        )
        self.target_entropy = -float(actions)
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.alpha_optimizer = torch.optim.Adam([self.log_alpha], lr=task.lr)

    def act(self, observation: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            action, _ = self.actor(torch.as_tensor(observation).unsqueeze(0))
        return action.squeeze(0).numpy()  # type: ignore[no-any-return]

    def update(self, batch: list[Tensor]) -> None:
        """One gradient step of everything."""
        observations, actions, rewards, successors, terminations = batch
        alpha = self.log_alpha.exp().item()
        with torch.no_grad():
            next_actions, next_log_prob = self.actor(successors)
            lowest = torch.min(
                self.q1_target(successors, next_actions), self.q2_target(successors, next_actions)
            )
            soft_value = lowest - alpha * next_log_prob
            target = rewards + (1 - terminations) * self.task.gamma * soft_value
        q_loss = functional.mse_loss(self.q1(observations, actions), target)
        q_loss = q_loss + functional.mse_loss(self.q2(observations, actions), target)
        self.q_optimizer.zero_grad()
        q_loss.backward()  # type: ignore[no-untyped-call]
        self.q_optimizer.step()

        drawn, log_prob = self.actor(observations)
        lowest = torch.min(self.q1(observations, drawn), self.q2(observations, drawn))
        actor_loss = (alpha * log_prob - lowest).mean()
        self.actor_optimizer.zero_grad()
        actor_loss.backward()
        self.actor_optimizer.step()

        alpha_loss = -(self.log_alpha * (log_prob.detach() + self.target_entropy)).mean()
        self.alpha_optimizer.zero_grad()
        alpha_loss.backward()
        self.alpha_optimizer.step()

        with torch.no_grad():
            for net, target_net in ((self.q1, self.q1_target), (self.q2, self.q2_target)):
                for p, target_p in zip(net.parameters(), target_net.parameters(), strict=True):
                    target_p.copy_(self.task.tau * p + (1 - self.task.tau) * target_p)


def main() -> None:
    task = Task.from_arguments()
    torch.set_num_threads(1)
    np.random.seed(task.seed)
    torch.manual_seed(task.seed)
    environment = gymnasium.make(task.environment)
    environment.action_space.seed(task.seed)
    box = environment.action_space
    assert isinstance(box, gymnasium.spaces.Box)
    assert environment.observation_space.shape is not None
    width = environment.observation_space.shape[0]
    agent = Agent(task, width, box)
    replay = ReplayBuffer(task.capacity, width, box.shape[0])

    stopwatch, updates = Stopwatch(task), 0
    observation, _ = environment.reset(seed=task.seed)
    observation = observation.astype(np.float32)
    running = True
    while running:
        if stopwatch.steps < task.warm_up:
            action = environment.action_space.sample()
        else:
            action = agent.act(observation)
        successor, reward, terminated, truncated, _ = environment.step(action)
        successor = successor.astype(np.float32)
        replay.add(observation, action, float(reward), successor, terminated)
        observation = successor
        if terminated or truncated:
            observation, _ = environment.reset()
            observation = observation.astype(np.float32)
        if stopwatch.steps >= task.warm_up:
            agent.update(replay.sample(task.batch))
            updates += 1
        running = stopwatch.goes_on()
    stopwatch.print_result(updates=updates)


if __name__ == "__main__":
    main()
