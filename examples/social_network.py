"""A rumour in a social network: users read those they follow, and like, share or ignore.

Space is a graph: sight 1 is whom one follows, speed 0 because nobody moves. So a user waits only
for users few hops away, and the rest of the network goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable

from headway import Action, Agent, Graph, Outcome, Simulation, View

USERS, STEPS = 120, 60
RUMOUR = "The old lighthouse will shine again on Friday night."
TASTES = ("boats", "gossip", "football", "cooking", "history")
REACTIONS = ("share", "like", "ignore")


class User(Agent):
    """Comes online now and then, reads what is new, and decides what to do with it."""

    def __init__(self, node: int) -> None:
        # What others can read: the posts shared so far, with the hops they have come.
        super().__init__(f"user{node}", node, state={"shared": {}, "liked": 0})
        self.taste = TASTES[node % len(TASTES)]
        self.read: dict[str, int] = {}
        self.liked = 0

    def step(self, view: View) -> Action | Awaitable[Action | None] | None:
        """Most steps only look; those with something to decide are coroutines."""
        if view.step == 0 and view.name == "user0":
            self.read[RUMOUR] = 0
            return Action(say=RUMOUR, state={"shared": {RUMOUR: 0}, "liked": 0})
        if view.random.random() < 0.7:
            return None  # offline
        for friend in view.neighbours:
            for post, hops in friend.state["shared"].items():
                if post not in self.read:
                    return self.react(view, friend.name, post, hops + 1)
        if view.random.random() < 0.3:
            return self.chat(view)
        return None

    async def react(self, view: View, friend: str, post: str, hops: int) -> Action | None:
        """Like it, share it, or pass over it."""
        answer = await view.llm.chat(
            f"You are {view.name} and like {self.taste}. {friend} posts: {post!r} Your reaction?",
            choices=REACTIONS,
            max_tokens=4,
        )
        self.read[post] = hops
        if answer.value == "ignore":
            return None
        self.liked += 1
        shared = dict(view.state["shared"])
        if answer.value == "share":
            shared[post] = hops
        return Action(say=post, state={"shared": shared, "liked": self.liked})

    async def chat(self, view: View) -> Action:
        """Post something about nothing much."""
        answer = await view.llm.chat(f"Post one sentence about {self.taste}.", max_tokens=30)
        return Action(say=answer.text)


def run(schedule: str) -> tuple[Outcome, list[User]]:
    """Run the network; the result is the same under every schedule."""
    users = [User(node) for node in range(USERS)]
    network = Graph.small_world(USERS, 6, 0.05, seed=3)
    simulation = Simulation(network, users, sight=1, speed=0, reach=0, seed=2)
    return simulation.run(STEPS, schedule=schedule), users


if __name__ == "__main__":
    lockstep, _ = run("lockstep")
    outcome, users = run("conservative")
    heard = [user.read[RUMOUR] for user in users if RUMOUR in user.read]
    shared = sum(RUMOUR in user["state"]["shared"] for user in outcome.final["agents"].values())
    print(f"{len(heard)} of {USERS} users have read the rumour, {shared} have shared it;")
    print(f"it has come {max(heard)} hops far, {sum(heard) / len(heard):.1f} on average.")
    print(f"lock-step {lockstep.seconds:.0f} s, out of order {outcome.seconds:.0f} s (modelled),")
    print(f"{lockstep.seconds / outcome.seconds:.1f} times as fast; users were up to", end=" ")
    print(f"{outcome.lead_max} steps ahead; same result: {lockstep.digest == outcome.digest}")
