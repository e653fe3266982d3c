"""A small town of villagers who plan, work, meet, talk, remember and sleep."""

from headway.examples.town.making import town
from headway.examples.town.villager import Villager

__all__ = ["Villager", "town"]
