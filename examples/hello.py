"""Three people, one of them far away: who is out of sight does not wait."""

from headway import Action, Agent, Grid, Outcome, Simulation, View


class Person(Agent):
    """Says hello to whoever is near, and thinks aloud otherwise."""

    async def step(self, view: View) -> Action:
        """Ask the model for one line."""
        others = [other.name for other in view.neighbours]
        task = f"Greet {others[0]}" if others else "Say what you see"
        answer = await view.llm.chat(f"You are {view.name}. {task}.", max_tokens=20)
        finished.append(f"{view.name}{view.step}")  # only to show the order; steps never read it
        return Action(say=answer.text, to=others)


def run(schedule: str) -> Outcome:
    """Run eight steps; the engine answers by a function, after modelled latencies."""
    finished.clear()
    people = [Person("A", (1, 1)), Person("B", (3, 1)), Person("C", (40, 1))]
    return Simulation(Grid(50, 3), people, sight=4, speed=1).run(8, schedule=schedule)


finished: list[str] = []
if __name__ == "__main__":
    lockstep = run("lockstep")
    print("lock-step:   ", *finished)
    conservative = run("conservative")
    print("out of order:", *finished)
    print(f"{lockstep.seconds:.1f} s against {conservative.seconds:.1f} s of modelled time;")
    print("the same result:", lockstep.digest == conservative.digest)
